import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FlvParser } from '../../shared/media/flv.ts'
import { ArchiveRig, gapsWithin } from '../support/archive-rig.ts'
import { repository } from '../support/modules.ts'
import { decodePictures, decodeSound, probePackets } from '../support/movie-judges.ts'
import { hasProgram } from '../support/shared-data.ts'

// FFmpeg 8.1, through the package node-av, sends and takes what Enhanced RTMP is for (docs/judges.md).

const run = promisify(execFile)
const ready = process.env.NODE_AV !== undefined && hasProgram('ffmpeg')
if (!ready) console.log('skipped: set NODE_AV to the directory of the package node-av, with FFmpeg beside it')

const pictures = 150
const formats = {
  hvc1: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'bframes=2:keyint=25:log-level=none'],
  av01: ['-c:v', 'libaom-av1', '-cpu-used', '8', '-usage', 'realtime', '-g', '25'],
  vp09: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-g', '25'],
}

describe.skipIf(!ready)('FFmpeg 8.1', () => {
  let rig: ArchiveRig
  beforeAll(async () => {
    rig = await ArchiveRig.open()
  })
  afterAll(() => rig?.[Symbol.asyncDispose]())

  const judge = (...args: string[]) =>
    run(process.execPath, [join(repository, 'test/judges/node-av.mjs'), ...args], { timeout: 60_000 })

  async function makeSource(fourCc: keyof typeof formats): Promise<string> {
    const file = join(rig.directory, `${fourCc}.mkv`)
    const inputs = ['-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=25', '-f', 'lavfi', '-i', 'sine=f=440:r=44100']
    const always = ['-t', String(pictures / 25), '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-y', file]
    await run('ffmpeg', ['-v', 'error', ...inputs, ...formats[fourCc], ...always])
    return file
  }

  /** The first picture's tag, as a viewer over HTTP gets it. */
  async function firstTag(stream: string): Promise<string> {
    const parser = new FlvParser()
    const response = await rig.program.fetch(`/live/${stream}.flv`)
    for await (const bytes of response.body ?? []) {
      const tag = parser.push(bytes).find(({ kind }) => kind === 'video')
      if (tag) return Buffer.from(tag.body.subarray(0, 5)).toString('latin1')
    }
    return ''
  }

  test.each(['hvc1', 'av01', 'vp09'] as const)(
    '%s goes in and out, and decodes',
    async (fourCc) => {
      const pushing = judge('push', await makeSource(fourCc), await rig.url(fourCc))
      await rig.isLive(fourCc)
      await sleep(1200)
      expect(await firstTag(fourCc)).toBe(`\x90${fourCc}`)
      const query = `${fourCc}?token=${await rig.program.adminToken()}`
      const http = `http://127.0.0.1:${rig.program.port}/live/${query.replace('?', '.flv?')}`
      const pulls = await Promise.all([
        judge('pull', `${rig.server}/${query}`, '40'),
        judge('pull', http, '40'),
      ])
      for (const { stdout } of pulls) expect(stdout.trim()).toBe('40')
      const id = fourCc === 'hvc1' ? await rig.record(fourCc) : undefined
      await pushing
      const metrics = await (await rig.program.fetch('/metrics')).text()
      expect(metrics).not.toMatch(/^edgereel_rtmp_refused_units_total\{.*\} [1-9]/m)
      if (id === undefined) return
      await rig.stop(id)
      const { detail, movie } = await rig.take(id, fourCc)
      expect(detail.streams.flatMap(gapsWithin)).toEqual([])
      expect(probePackets(movie, 'v')).toHaveLength(pictures)
      expect(decodePictures(movie).complaints).toBe('')
      expect(decodeSound(movie)).toBe('')
    },
    120_000,
  )
})
