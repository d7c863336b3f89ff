/**
 * From `phones stop` to the downloaded MP4: takes of 1080p30 at 4 Mb/s, filmed in real time by a simulated phone,
 * with the whole program (agent and local cloud).
 *   node bench/take.bench.ts [--seconds 60] [--takes 3]
 */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { simPhone } from '../agent/sim/phone.ts'
import type { RecordingDetail } from '../shared/contract/api.ts'
import { Program } from '../test/support/program.ts'
import { hasProgram } from '../test/support/shared-data.ts'
import { median, numbers, short, spread, table } from './support/figures.ts'

const options = numbers({ seconds: 60, takes: 3 })
const clipSeconds = 10

if (!hasProgram('ffmpeg')) {
  console.log('FFmpeg is not here to make the pictures: skipped')
  process.exit()
}

/** A key frame every two seconds, noise enough that the bit rate is reached. */
function makeClip(path: string): void {
  const source = `testsrc2=size=1920x1080:rate=30:duration=${clipSeconds},noise=alls=12:allf=t`
  const rate = ['-b:v', '4M', '-maxrate', '4M', '-bufsize', '4M', '-g', '60', '-bf', '0']
  const coder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', ...rate]
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', source, ...coder, path])
}

type Sample = { readyMs: number; downloadedMs: number; units: number; mb: number }

async function take(program: Program, stream: string, file: string): Promise<Sample> {
  const token = await program.publisherToken(stream)
  const gone = new AbortController()
  const url = `ws://127.0.0.1:${program.port}/android-cam`
  const phone = simPhone({ url, token, file, model: stream, signal: gone.signal })
  const phones = () => program.json<{ phones: unknown[] }>('/agent/v1/phones')
  await program.until(async () => (await phones()).phones.length > 0, 10_000, 'the phone')
  await program.post('/agent/v1/phones/start')
  await sleep(options.seconds * 1000)

  const startMs = performance.now()
  const stopped = program.post('/agent/v1/phones/stop')
  const detail = await ready(program, stream)
  const readyMs = performance.now() - startMs
  const mp4 = await program.fetch(`/v1/recordings/${detail.id}/download?stream=${stream}`)
  const { byteLength } = await mp4.arrayBuffer()
  const downloadedMs = performance.now() - startMs
  await stopped
  gone.abort()
  await phone
  return { readyMs, downloadedMs, units: detail.streams[0]?.units ?? 0, mb: byteLength / 1e6 }
}

async function ready(program: Program, stream: string): Promise<RecordingDetail> {
  for (;;) {
    const item = (await program.recordings()).find(({ streams }) => streams.includes(stream))
    const detail = item && (await program.json<RecordingDetail>(`/v1/recordings/${item.id}`))
    if (detail?.state === 'ready') return detail
    await sleep(10)
  }
}

const directory = await mkdtemp(join(tmpdir(), 'edgereel-take-'))
try {
  const file = join(directory, 'clip.mp4')
  makeClip(file)
  await using program = await Program.start()
  const samples: Sample[] = []
  for (let i = 0; i < options.takes; i += 1) {
    const sample = await take(program, `take-${i}`, file)
    samples.push(sample)
    console.error(
      `take ${i + 1}: ${sample.units} pictures, ${short(sample.mb)} MB; ready after ${short(sample.readyMs)} ms, downloaded after ${short(sample.downloadedMs)} ms`,
    )
  }
  const of = (name: keyof Sample) => samples.map((sample) => sample[name])
  console.log(
    table(
      ['take', 'stop → ready ms', 'stop → downloaded ms', 'MB'],
      [
        [
          `${options.seconds} s of 1080p30`,
          spread(of('readyMs')),
          spread(of('downloadedMs')),
          short(median(of('mb'))),
        ],
      ],
    ),
  )
} finally {
  await rm(directory, { recursive: true, force: true })
}
process.exit()
