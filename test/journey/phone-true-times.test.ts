import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadFootage } from '../../agent/sim/footage.ts'
import { simPhone } from '../../agent/sim/phone.ts'
import { Program } from '../support/program.ts'
import { hasProgram, sharedPath } from '../support/shared-data.ts'
import { decodingComplaints, spacings, takeOf } from '../support/takes.ts'

const run = promisify(execFile)
const python = '/usr/bin/python3'
const sender = sharedPath('tools', 'ws_phone.py')
const data = sharedPath('data')
const ready = sender !== undefined && data !== undefined && hasProgram('ffprobe') && hasProgram(python)
if (!ready) console.log('skipped: the recordings beside the repository, Python and FFmpeg are needed')

/** Recordings with irregular times, a clip of one access unit per line of its table, and how fast they are played. */
const recordings = [
  { file: 'mp4/dvr__traffic_camera_vfr.mp4', pictures: 576, speed: 4 },
  { file: 'mp4/media__sample_android_slow_motion.mp4', pictures: 7, speed: 1 },
  { file: 'mp4/media__sample_no_bframes.mp4', pictures: 30, speed: 1 },
  { file: 'mp4/media__sample.mp4', pictures: 30, speed: 1 },
  { file: 'mp4/metadata__with-gps.mp4', pictures: 3, speed: 1 },
  { file: 'h264/kvs_640x480_403au.264', pictures: 403, speed: 2 },
]

describe.skipIf(!ready)('times of phones are true, from the sender to the MP4', () => {
  let program: Program
  const sent = new Map<string, Promise<unknown>>()

  const epochName = (file: string) => `epoch-${file.split('/')[1]?.slice(0, 20).replaceAll('_', '-')}`
  const bootName = (file: string) => epochName(file).replace('epoch', 'boot')

  async function sendByPython(file: string, speed: number): Promise<unknown> {
    const url = program.phoneUrl(await program.publisherToken(epochName(file)))
    return await run(python, [sender ?? '', `${data}/${file}`, url, '--speed', String(speed)])
  }

  async function sendBySim(file: string, speed: number): Promise<void> {
    const token = await program.publisherToken(bootName(file))
    const url = `ws://127.0.0.1:${program.port}/android-cam`
    await simPhone({
      url,
      token,
      file: `${data}/${file}`,
      speed,
      once: true,
      signal: AbortSignal.timeout(90_000),
    })
  }

  beforeAll(async () => {
    program = await Program.start()
    for (const { file, speed } of recordings) {
      sent.set(epochName(file), sendByPython(file, speed))
      sent.set(bootName(file), sendBySim(file, speed))
    }
  }, 60_000)
  afterAll(() => program?.[Symbol.asyncDispose]())

  for (const { file, pictures } of recordings) {
    test.each([
      ['epoch', epochName(file)],
      ['boot', bootName(file)],
    ])(
      `${file} with stamps since %s`,
      async (_clock, stream) => {
        await sent.get(stream)
        const { detail, shownMs, csv, complaints } = await takeOf(program, stream)
        const footage = await loadFootage(`${data}/${file}`)
        const trueMs = footage.pictures.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
        expect(trueMs).toHaveLength(pictures)

        const [taken] = detail.streams
        expect(taken?.units).toBe(pictures)
        expect(taken?.gaps).toEqual([])
        expect(shownMs).toHaveLength(pictures)
        const wrong = spacings(shownMs).map((spacing, i) => Math.abs(spacing - (spacings(trueMs)[i] ?? 0)))
        expect(Math.max(...wrong)).toBeLessThanOrEqual(1)
        expect(csv.map(({ fromStartMs }) => fromStartMs)).toEqual(shownMs.map(Math.round))
        expect(csv[0]?.wallMs).toBe(detail.from)
        const age = Date.now() - detail.from // Of today, not of 1970.
        expect(age).toBeGreaterThan(0)
        expect(age).toBeLessThan(3_600_000)
        expect(taken?.clock?.source).toBe('device')

        const sourceComplaints = await decodingComplaints(`${data}/${file}`)
        if (sourceComplaints === '') expect(complaints).toBe('')
      },
      120_000,
    )
  }
})
