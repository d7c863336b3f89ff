import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadFootage } from '../../../../agent/sim/footage.ts'
import { readMp4 } from '../../../../agent/sim/read-mp4.ts'
import { AppError } from '../../../../shared/error.ts'
import { VideoUnitParser } from '../../../../shared/media/access-unit-parser.ts'
import { hasProgram, sharedPath } from '../../../support/shared-data.ts'

test('the built-in clip is ten seconds of 25 pictures each, and begins each second with a key frame', async () => {
  const { pictures, durationMs } = await loadFootage(undefined)
  expect(durationMs).toBe(10_000)
  expect(pictures.map(({ ptsMs }) => ptsMs)).toEqual(Array.from({ length: 250 }, (_, i) => i * 40))
  const parser = new VideoUnitParser('h264')
  const parsed = pictures.map(({ payload }) => parser.parse(payload))
  expect(parsed.flatMap((picture, i) => (picture?.idr ? [i] : []))).toEqual([
    0, 25, 50, 75, 100, 125, 150, 175, 200, 225,
  ])
  expect(parsed[0]?.config).toMatchObject({
    width: 640,
    height: 360,
    reorderDepth: 0,
    codecString: 'avc1.42c01e',
  })
})

const mp4s = sharedPath('data', 'mp4')
const readable = [
  'media__sample.mp4',
  'dvr__traffic_camera_vfr.mp4',
  'media__sample_android_slow_motion.mp4',
  'gpmf__max-heromode.mp4',
  'mp4ff__bbb_prog_10s.mp4',
  'metadata__with-gps.mp4',
]
const judged = mp4s !== undefined && hasProgram('ffprobe')

test.skipIf(!judged).each(readable)(
  'the pictures of %s have the times that ffprobe sees (needs ../shared/data)',
  async (file) => {
    const path = `${mp4s}/${file}`
    const { pictures } = await loadFootage(path)
    const json = execFileSync(
      'ffprobe',
      `-v error -select_streams v:0 -show_entries packet=pts_time,size -of json ${path}`.split(' '),
    )
    const packets = (JSON.parse(String(json)).packets as { pts_time: string }[]).map(
      ({ pts_time }) => Number(pts_time) * 1000,
    )
    const first = Math.min(...packets)
    expect(pictures).toHaveLength(packets.length)
    for (const [i, { ptsMs }] of pictures.entries())
      expect(Math.abs(ptsMs - ((packets[i] ?? 0) - first))).toBeLessThanOrEqual(0.51)
  },
)

test.skipIf(!mp4s)('an MP4 in fragments is refused with a sentence (needs ../shared/data)', async () => {
  await expect(loadFootage(`${mp4s}/media__sample_fragmented.mp4`)).rejects.toMatchObject({
    kind: 'InvalidArgument',
  })
})

test.skipIf(!mp4s)('a damaged MP4 is refused, whatever bytes are wrong (needs ../shared/data)', () => {
  const good = readFileSync(`${mp4s}/media__sample_android_slow_motion.mp4`)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 30 }),
      (wrong) => {
        const bytes = Uint8Array.from(good)
        for (const [at, value] of wrong) bytes[at] = value
        try {
          expect(readMp4(bytes).length).toBeLessThan(1e6)
        } catch (error) {
          expect(error).toBeInstanceOf(AppError)
        }
      },
    ),
    { numRuns: 300 },
  )
})

const h264 = sharedPath('data', 'h264')
const streams = h264 ? readdirSync(h264).filter((file) => /\.(264|h264)$/.test(file)) : []

test.skipIf(!h264).each(streams)(
  'the pictures of %s are shown one after the other (needs ../shared/data)',
  async (file) => {
    const { pictures, durationMs } = await loadFootage(`${h264}/${file}`)
    const times = pictures.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
    expect(times).toEqual(times.map((_, i) => i * 40))
    expect(durationMs).toBe(pictures.length * 40)
  },
)

test('what is no video is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'edgereel-sim-'))
  await writeFile(join(folder, 'a.h264'), 'no start code')
  await writeFile(join(folder, 'b.mp4'), 'no boxes')
  await expect(loadFootage(join(folder, 'a.h264'))).rejects.toBeInstanceOf(AppError)
  await expect(loadFootage(join(folder, 'b.mp4'))).rejects.toBeInstanceOf(AppError)
  await expect(loadFootage(join(folder, 'c.mp4'))).rejects.toMatchObject({ kind: 'NotFound' })
  await rm(folder, { recursive: true })
})
