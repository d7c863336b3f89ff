import { expect, test } from 'vitest'
import { exportRange } from '../../../../cloud/api/export-range.ts'
import { recordingDetailOf } from '../../../../cloud/api/recording-view.ts'
import { getRecording } from '../../../../cloud/rows/recording.ts'
import type { Recording } from '../../../../shared/contract/recording.ts'
import { type JobsRig, openJobsRig } from '../../../support/jobs-rig.ts'
import { probePackets } from '../../../support/movie-judges.ts'
import { movieSourceOf, realMovies } from '../../../support/movie-source.ts'
import {
  type FixtureUnit,
  putRecording,
  putSegment,
  recordingOf,
  type SealedSegment,
  sealSegment,
  unitOf,
  unitsOf,
} from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

const startMs = Date.UTC(2026, 2, 1, 11)
const frames = (first: number, end: number): FixtureUnit[] =>
  Array.from({ length: end - first }, (_, i) => unitOf(syntheticPicture(first + i, { startMs: 5000 })))
const segment = (
  seq: number,
  units: FixtureUnit[],
  more: Partial<Parameters<typeof sealSegment>[0]> = {},
): SealedSegment =>
  sealSegment({
    ...{ agent: 'lab', stream: 'cam', epoch: 1_700_000_000_000, seq, units, video: syntheticVideo },
    ...{ wallOffsetMs: startMs - 5000, ...more },
  })

async function detail(rig: JobsRig) {
  const rows = await getRecording(rig.ports.catalogue, 'take')
  const stream = rows && (await recordingDetailOf(rig.ports, rows)).streams[0]
  if (!rows || !stream) throw new Error('no recording')
  return { ...stream, files: rows.meta.files ?? [] }
}

/** A recording with these bounds of all its streams. */
function claim(segments: readonly SealedSegment[], from: number, to: number): Recording {
  return recordingOf('take', segments, { from, to })
}

test('counts what lies within the recording, before its export and after it', async () => {
  await using rig = await openJobsRig()
  const hurt = frames(30, 60).map((unit, n) => (n === 7 || n === 29 ? { ...unit, damaged: true } : unit))
  // 10 pictures a second; those from 6 to 7.5 s are missing.
  const copies = frames(85, 90).map((unit) => ({ ...unit, duplicate: true }))
  const segments = [
    segment(1, frames(0, 30)),
    segment(2, hurt),
    segment(3, frames(75, 90)),
    segment(4, [...copies, ...frames(90, 120)], { continues: true }),
  ]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, claim(segments, startMs + 1250, startMs + 10_000))
  await rig.drain({ queues: ['mux'] })
  const within = 17 + 30 + 15 + 10
  const before = await detail(rig)
  expect(before).toMatchObject({ units: within, damaged: 2, export: { files: [] } })
  expect(await rig.drain()).toEqual([])
  const after = await detail(rig)
  expect(after).toMatchObject({ units: within, damaged: 2 })
  const csv = (await rig.read('exports/take/v1/cam.csv')).toString().trimEnd().split('\n')
  expect(csv).toHaveLength(1 + within)
})

test('damaged pictures before and behind the recording are not counted', async () => {
  await using rig = await openJobsRig()
  const units = frames(0, 30).map((unit, n) => (n === 3 || n === 20 ? { ...unit, damaged: true } : unit))
  const segments = [segment(1, units)]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, claim(segments, startMs + 400, startMs + 2000))
  await rig.drain({ queues: ['mux'] })
  expect(await detail(rig)).toMatchObject({ units: 16 })
  expect((await detail(rig)).damaged).toBeUndefined()
  await rig.drain()
  expect(await detail(rig)).toMatchObject({ units: 16 })
  expect((await detail(rig)).damaged).toBeUndefined()
})

test('a gap is told within the recording, as its files tell it', async () => {
  await using rig = await openJobsRig()
  const first = segment(1, frames(0, 30))
  const second = segment(2, frames(60, 90))
  first.manifest.gapBefore = { from: startMs - 5000, to: startMs, cause: 'source-lost' }
  second.manifest.gapBefore = { from: startMs + 2933, to: startMs + 6000, cause: 'source-lost' }
  for (const sealed of [first, second]) {
    const json = Buffer.from(JSON.stringify(sealed.manifest))
    await putSegment(rig.ports.store, {
      ...sealed,
      files: sealed.files.map((file) => (file.ext === 'json' ? { ...file, bytes: json } : file)),
    })
  }
  await putRecording(rig.ports.store, claim([first, second], startMs, startMs + 4500))
  await rig.drain()
  const { gaps, units } = await detail(rig)
  expect(gaps).toEqual([{ from: startMs + 2933, to: startMs + 4500, cause: 'source-lost' }])
  expect(units).toBe(30)
  expect((await getRecording(rig.ports.catalogue, 'take'))?.meta.gapCount).toBe(1)
})

test('what never came and what cannot be read is a gap, and no picture of it is counted', async () => {
  await using rig = await openJobsRig()
  const segments = [1, 2, 3].map((seq) => segment(seq, frames(seq * 10, seq * 10 + 10)))
  const [one, two, three] = segments
  if (!one || !two || !three) throw new Error('three')
  await putSegment(rig.ports.store, one)
  await putSegment(rig.ports.store, three)
  await putRecording(rig.ports.store, claim(segments, one.manifest.from, three.manifest.to))
  await rig.drain()
  expect(await detail(rig)).toMatchObject({ units: 20, gaps: [] }) // Still awaited.
  const broken = two.files.map((file) =>
    file.ext === 'idx' ? { ...file, bytes: Buffer.from('no index') } : file,
  )
  await putSegment(rig.ports.store, { ...two, files: broken })
  await rig.drain()
  expect(await detail(rig)).toMatchObject({
    units: 20,
    gaps: [{ from: one.manifest.to, to: three.manifest.from, cause: 'damaged' }],
  })
})

test('a range of more gaps than a recording can list is exported, and tells the first thousand', async () => {
  await using rig = await openJobsRig()
  const segments = Array.from({ length: 11 }, (_, n) => segment(n, frames(n * 30, n * 30 + 30)))
  for (const { manifest, files } of segments) {
    const gapAt = (from: number) => ({ from, to: from + 1, cause: 'sequence' as const })
    const gaps = Array.from({ length: 1000 }, (_, i) => gapAt(manifest.from + 2 * i))
    const json = Buffer.from(JSON.stringify({ ...manifest, gaps }))
    const all = files.map((file) => (file.ext === 'json' ? { ...file, bytes: json } : file))
    await putSegment(rig.ports.store, { manifest, files: all })
  }
  await rig.drain()
  const asked = { agent: 'lab', streams: ['cam'], from: startMs + 50, to: startMs + 33_000 }
  const task = await exportRange(rig.ports, asked, { role: 'operator', subject: 'me' })
  expect(await rig.drain()).toEqual([])
  const rows = await getRecording(rig.ports.catalogue, task.id.replace(/^export-|-v1$/g, ''))
  const made = rows && (await recordingDetailOf(rig.ports, rows))
  expect(made).toMatchObject({ state: 'ready', gapCount: 1000, streams: [{ units: 329 }] })
  expect(made?.streams[0]?.gaps).toHaveLength(1000)
  expect(made?.streams[0]?.gaps[0]?.from).toBe(startMs + 50)
})

test.each(realMovies)('%s: as many as the MP4 shows, cut at both ends', async (_name, path) => {
  await using rig = await openJobsRig()
  const { video } = movieSourceOf(path)
  const sync = video.samples.flatMap((sample, i) => (sample.sync ? [i] : []))
  const cuts = [...sync.filter((_, n) => n % 2 === 0), video.samples.length]
  const segments = cuts
    .slice(1)
    .map((end, n) =>
      segment(n + 1, unitsOf('video', video.samples.slice(cuts[n], end), 5000), { video: video.config }),
    )
  const stamps = video.samples.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
  const at = (share: number) => (stamps[Math.floor(stamps.length * share)] ?? 0) + 1
  const [from, to] = [at(0.13), at(0.81)]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, claim(segments, startMs + from, startMs + to))
  await rig.drain({ queues: ['mux'] })
  const within = stamps.filter((ms) => ms >= from && ms < to).length
  expect((await detail(rig)).units).toBe(within)
  expect(await rig.drain()).toEqual([])
  const { units, files } = await detail(rig)
  expect(units).toBe(within)
  const shown = probePackets(await rig.read(files[0]?.key ?? ''), 'v').filter(({ discard }) => !discard)
  const inTime = shown.filter(({ ptsMs }) => ptsMs < to - from)
  expect(inTime).toHaveLength(within)
})
