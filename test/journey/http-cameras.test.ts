import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, Program } from '../support/program.ts'
import { hasProgram } from '../support/shared-data.ts'
import { downloadTake, spacings } from '../support/takes.ts'

// FFmpeg as an HTTP camera, in MPEG-TS, FLV and Matroska: every picture that it sent is in the archive, at its time.

const ready = hasProgram('ffmpeg') && hasProgram('ffprobe')
if (!ready) console.log('skipped: FFmpeg is needed')

const pictures = 150
const formats = ['mpegts', 'flv', 'matroska'] as const

describe.skipIf(!ready)('cameras by HTTP', () => {
  const cameras: AsyncDisposable[] = []
  const ports = new Map<string, number>()
  let program: Program

  /** It waits for one client, and films from then on. */
  function film(format: string, port: number): AsyncDisposable {
    const scene = `testsrc2=s=320x180:r=25:d=${pictures / 25}`
    const codec = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '25', '-pix_fmt', 'yuv420p']
    const to = ['-f', format, '-listen', '1', `http://127.0.0.1:${port}/live`]
    const child = spawn('ffmpeg', ['-v', 'error', '-re', '-f', 'lavfi', '-i', scene, ...codec, ...to])
    return {
      [Symbol.asyncDispose]: async () => {
        child.kill('SIGKILL')
      },
    }
  }

  beforeAll(async () => {
    for (const format of formats) ports.set(format, await freePort())
    for (const [format, port] of ports) cameras.push(film(format, port))
    await sleep(1000)
    const sources = [...ports].map(([name, port]) => `  ${name}: { source: "http://127.0.0.1:${port}/live" }`)
    program = await Program.start({
      config: `cameras: { allow: ["127.0.0.1"] }\nrtmp: { port: null }\ngrpc: { port: null }\nstreams:\n${sources.join('\n')}\n`,
    })
  }, 60_000)
  afterAll(async () => {
    for (const camera of cameras) await camera[Symbol.asyncDispose]()
    await program?.[Symbol.asyncDispose]()
  })

  test('are connected because they are recorded, and nothing of them is lost', async () => {
    const streams = [...formats]
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', { streams })
    await sleep((pictures / 25) * 1000 + 3000)
    await program.post(`/agent/v1/recordings/${id}/stop`)
    for (const format of formats) {
      const { shownMs, complaints } = await downloadTake(program, id, format)
      expect(complaints, format).toBe('')
      expect(shownMs.length, format).toBe(pictures)
      const wrong = spacings(shownMs).map((spacing) => Math.abs(spacing - 40))
      expect(Math.max(...wrong), format).toBeLessThanOrEqual(1)
    }
  }, 90_000)
})
