import { expect, test } from 'vitest'
import { getRecording } from '../../../../cloud/rows/recording.ts'
import { findSegment } from '../../../../cloud/rows/segment.ts'
import { getTask } from '../../../../cloud/rows/task.ts'
import { type JobsRig, openJobsRig } from '../../../support/jobs-rig.ts'
import { decodePictures, probePackets } from '../../../support/movie-judges.ts'
import { movieSourceOf, realMovies } from '../../../support/movie-source.ts'
import {
  type FixtureUnit,
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
  unitsOf,
} from '../../../support/segment-fixture.ts'
import { hasProgram } from '../../../support/shared-data.ts'
import {
  readLabels,
  syntheticAudio,
  syntheticPicture,
  syntheticSound,
  syntheticVideo,
} from '../../../support/synthetic.ts'

const startMs = Date.UTC(2026, 2, 1, 11)
const frames = (
  first: number,
  end: number,
  options: Parameters<typeof syntheticPicture>[1] = {},
): FixtureUnit[] =>
  Array.from({ length: end - first }, (_, i) =>
    unitOf(syntheticPicture(first + i, { startMs: 5000, ...options })),
  )

const segment = (seq: number, units: FixtureUnit[], more: Partial<Parameters<typeof sealSegment>[0]> = {}) =>
  sealSegment({
    ...{ agent: 'lab', stream: 'cam', epoch: 1_700_000_000_000, seq, units, video: syntheticVideo },
    ...{ wallOffsetMs: startMs - 5000, ...more },
  })

async function exported(rig: JobsRig, id = 'take') {
  const rows = await getRecording(rig.ports.catalogue, id)
  const files = rows?.meta.files ?? []
  const bytes = await Promise.all(files.map(({ key }) => rig.read(key)))
  const task = rows?.meta.export && (await getTask(rig.ports.catalogue, rows.meta.export.task))
  return { rows, files, bytes, task, version: rows?.meta.filesVersion }
}

async function csv(rig: JobsRig, id = 'take', version = 1, stream = 'cam'): Promise<string[][]> {
  const text = (await rig.read(`exports/${id}/v${version}/${stream}.csv`)).toString()
  const lines = text.trimEnd().split('\n')
  return lines.slice(1).map((line) => line.split(','))
}

const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i)

test('a recording becomes one MP4 with every picture once, at its time', async () => {
  await using rig = await openJobsRig()
  const segments = [segment(1, frames(0, 30)), segment(2, frames(30, 47))]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, recordingOf('take', segments))
  expect(await rig.drain()).toEqual([])

  const { files, bytes, task } = await exported(rig)
  expect(task).toMatchObject({ status: 'SUCCESS', progress: 100, attempts: 1 })
  expect(files).toMatchObject([{ stream: 'cam', part: 1, from: startMs, units: 47, width: 640, height: 480 }])
  expect(readLabels(bytes[0] ?? new Uint8Array()).map(({ n }) => n)).toEqual(range(0, 47))
  const lines = await csv(rig)
  expect(lines.map((line) => Number(line[4]))).toEqual(range(0, 47).map((n) => n * 100))
  expect(lines[1]?.slice(0, 5)).toEqual(['1', '1', String(startMs + 100), '2026-03-01T11:00:00.100Z', '100'])
  if (!hasProgram('ffprobe')) return
  const packets = probePackets(bytes[0] ?? new Uint8Array(), 'v')
  expect(packets.map(({ ptsMs }) => Math.round(ptsMs))).toEqual(range(0, 47).map((n) => n * 100))
})

test('the MP4 of a segment and its row say the same as the segment', async () => {
  await using rig = await openJobsRig()
  const sealed = segment(
    1,
    [...frames(0, 20), ...range(0, 80).map((n) => unitOf(syntheticSound(n, { startMs: 5000 })))],
    {
      audio: syntheticAudio,
    },
  )
  await putSegment(rig.ports.store, sealed)
  await rig.drain()
  const row = await findSegment(rig.ports.catalogue, sealed.manifest)
  expect(row).toMatchObject({ status: 'SUCCESS', damagedUnits: 0, media: { audio: true } })
  const mp4 = await rig.read(row?.media?.key ?? '')
  expect(mp4).toHaveLength(row?.media?.sizeBytes ?? -1)
  expect(readLabels(mp4).map(({ n }) => n)).toEqual(range(0, 20))
  if (!hasProgram('ffprobe')) return
  expect(probePackets(mp4, 'a')).toHaveLength(80)
})

test('shows nothing before `from` and nothing from `to` on, with the key frame that is needed', async () => {
  await using rig = await openJobsRig()
  const segments = [segment(1, frames(0, 30))]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  const claim = { from: startMs + 1250, to: startMs + 2500 }
  await putRecording(rig.ports.store, recordingOf('take', segments, claim))
  await rig.drain()
  const { files, bytes } = await exported(rig)
  expect(files).toMatchObject([{ from: startMs + 1250, to: startMs + 2500, units: 15 }])
  expect(readLabels(bytes[0] ?? new Uint8Array()).map(({ n }) => n)).toEqual(range(10, 25))
  expect((await csv(rig)).map((line) => Number(line[4]))).toEqual(range(13, 25).map((n) => n * 100 - 1250))
  if (!hasProgram('ffmpeg')) return
  const packets = probePackets(bytes[0] ?? new Uint8Array(), 'v').filter(({ discard }) => !discard)
  expect(packets.map(({ ptsMs }) => Math.round(ptsMs))).toEqual(range(13, 25).map((n) => n * 100 - 1250))
})

test('copies at the head of a segment are in the file only where the segment before is not', async () => {
  await using rig = await openJobsRig()
  const copies = frames(20, 25).map((unit) => ({ ...unit, duplicate: true }))
  const segments = [
    segment(1, frames(0, 25)),
    segment(2, [...copies, ...frames(25, 40)], { continues: true }),
  ]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, recordingOf('both', segments))
  await putRecording(rig.ports.store, recordingOf('second', segments.slice(1)))
  await rig.drain()
  const both = await exported(rig, 'both')
  expect(readLabels(both.bytes[0] ?? new Uint8Array()).map(({ n }) => n)).toEqual(range(0, 40))
  const second = await exported(rig, 'second')
  expect(readLabels(second.bytes[0] ?? new Uint8Array()).map(({ n }) => n)).toEqual(range(20, 40))
  expect(second.files).toMatchObject([{ from: startMs + 2500 }])
  expect((await csv(rig, 'second')).map((line) => Number(line[4]))).toEqual(range(0, 15).map((n) => n * 100))
})

test('a new epoch or configuration begins a new part, a gap does not', async () => {
  await using rig = await openJobsRig()
  const later = { epoch: 1_700_000_000_001 }
  const other = { ...syntheticVideo, width: 320 }
  const segments = [
    segment(1, frames(0, 10)),
    segment(2, frames(20, 30)),
    segment(1, frames(0, 10, { startMs: 70_000 }), { ...later, wallOffsetMs: startMs - 60_000 }),
    segment(2, frames(10, 20, { startMs: 70_000 }), {
      ...later,
      wallOffsetMs: startMs - 60_000,
      video: other,
    }),
  ]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, recordingOf('take', segments))
  await rig.drain()
  const { files } = await exported(rig)
  expect(files).toMatchObject([
    { part: 1, from: startMs, units: 20 },
    { part: 2, from: startMs + 10_000, units: 10 },
    { part: 3, from: startMs + 11_000, units: 10, width: 320 },
  ])
  const lines = await csv(rig)
  expect(lines.map((line) => line[1]).join('')).toBe('1'.repeat(20) + '2'.repeat(10) + '3'.repeat(10))
})

test('what an estimate learns between two segments does not change the spacing at their seam', async () => {
  await using rig = await openJobsRig()
  const segments = [segment(1, frames(0, 10)), segment(2, frames(10, 20), { wallOffsetMs: startMs - 5017.4 })]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, recordingOf('take', segments))
  await rig.drain()
  expect((await csv(rig)).map((line) => Number(line[4]))).toEqual(range(0, 20).map((n) => n * 100))
})

test('a damaged unit is left out of both files and becomes a gap', async () => {
  await using rig = await openJobsRig()
  const sealed = segment(1, frames(0, 20))
  const video = sealed.files.find(({ ext }) => ext === 'h264')?.bytes ?? Buffer.alloc(0)
  const at = video.indexOf('"n":7,')
  video[at + 80] = (video[at + 80] ?? 0) ^ 1
  const { sizeBytes } = sealed.manifest.video?.file ?? { sizeBytes: 0 }
  expect(video).toHaveLength(sizeBytes)
  for (const { ext, bytes } of sealed.files) {
    const key = `raw/lab/cam/1700000000000-000001.${ext}`
    await rig.ports.store.put(key, bytes, { sizeBytes: bytes.length, contentType: 'x/y' })
  }
  await putRecording(rig.ports.store, recordingOf('take', [sealed]))
  await rig.drain()
  const { bytes, task } = await exported(rig)
  expect(readLabels(bytes[0] ?? new Uint8Array()).map(({ n }) => n)).toEqual(
    range(0, 20).filter((n) => n !== 7),
  )
  expect(task?.result).toMatchObject({
    streams: [{ gaps: [{ from: startMs + 600, to: startMs + 800, cause: 'damaged', units: 1 }] }],
  })
  expect(await csv(rig)).toHaveLength(19)
})

test('waits for the last segment, in any order of arrival', async () => {
  await using rig = await openJobsRig()
  const segments = range(0, 4).map((n) => segment(n + 1, frames(n * 10, n * 10 + 10)))
  await putRecording(rig.ports.store, recordingOf('take', segments))
  for (const sealed of [segments[3], segments[1], segments[0]])
    if (sealed) await putSegment(rig.ports.store, sealed)
  await rig.drain()
  expect((await exported(rig)).files).toEqual([])
  if (segments[2]) await putSegment(rig.ports.store, segments[2])
  await rig.drain()
  const { files, version } = await exported(rig)
  expect([files[0]?.units, version]).toEqual([40, 1])
})

test('after a day exports without what is missing, says so, and makes a new version when it comes', async () => {
  await using rig = await openJobsRig()
  const segments = range(0, 3).map((n) => segment(n + 1, frames(n * 10, n * 10 + 10)))
  await putRecording(rig.ports.store, recordingOf('take', segments))
  for (const sealed of [segments[0], segments[2]]) if (sealed) await putSegment(rig.ports.store, sealed)
  await rig.drain()
  for (let hour = 0; hour < 23; hour += 1) {
    rig.clock.advance(3_600_000)
    await rig.drain()
  }
  expect((await exported(rig)).files).toEqual([])
  rig.clock.advance(2 * 3_600_000)
  await rig.drain()
  const late = await exported(rig)
  expect(late.files).toMatchObject([{ units: 20 }])
  expect(late.task?.result).toMatchObject({ streams: [{ gaps: [{ cause: 'missing', to: startMs + 2000 }] }] })

  if (segments[1]) await putSegment(rig.ports.store, segments[1])
  await rig.drain()
  const whole = await exported(rig)
  expect([whole.version, whole.files[0]?.units]).toEqual([2, 30])
  expect(await rig.ports.store.head(late.files[0]?.key ?? '')).toBeDefined()
})

test('a segment that cannot be read is quarantined, and the recording goes on without it', async () => {
  await using rig = await openJobsRig()
  const segments = range(0, 3).map((n) => segment(n + 1, frames(n * 10, n * 10 + 10)))
  const poison = segments[1]
  for (const sealed of segments) {
    if (sealed === poison)
      sealed.files = sealed.files.map((file) =>
        file.ext === 'idx' ? { ...file, bytes: Buffer.from('x') } : file,
      )
    await putSegment(rig.ports.store, sealed)
  }
  await putRecording(rig.ports.store, recordingOf('take', segments))
  const errors = await rig.drain()
  expect(errors).toHaveLength(1)
  expect(await rig.ports.queue.depth('mux')).toMatchObject({ waiting: 0, inFlight: 0, dead: 1 })
  const row = poison && (await findSegment(rig.ports.catalogue, poison.manifest))
  expect(row).toMatchObject({ status: 'FAILED', reason: 'INVALID_FORMAT' })
  const { files, task } = await exported(rig)
  expect(files).toMatchObject([{ units: 20 }])
  expect(task?.result).toMatchObject({ streams: [{ gaps: [{ cause: 'damaged' }] }] })
})

test('a manifest that cannot be read is quarantined under its name', async () => {
  await using rig = await openJobsRig()
  const body = Buffer.from('{"version": 9')
  await rig.ports.store.put('raw/lab/cam/1700000000000-000001.json', body, {
    sizeBytes: body.length,
    contentType: 'x/y',
  })
  expect(await rig.drain()).toMatchObject([{ kind: 'InvalidArgument' }])
  const row = await findSegment(rig.ports.catalogue, {
    agent: 'lab',
    stream: 'cam',
    epoch: 1_700_000_000_000,
    seq: 1,
  })
  expect(row).toMatchObject({ status: 'FAILED', reason: 'INVALID_FORMAT' })
})

test.each(realMovies)(
  '%s: a group of two, from in mid-GOP, t = 0 alike, read raw and from the archive',
  async (_name, path) => {
    await using rig = await openJobsRig()
    const { video, audio } = movieSourceOf(path)
    const stamps = video.samples.map(({ ptsMs }) => ptsMs).sort((a, b) => a - b)
    const first = stamps[0] ?? 0
    const cut = first + Math.round(((stamps.at(-1) ?? 0) - first) * 0.37) + 1
    // The second camera's clock runs 7 s apart and began 400 ms later.
    const cams = [
      { stream: 'left', byMs: 5000, wallOffsetMs: startMs - 5000 },
      { stream: 'right', byMs: 12_000, wallOffsetMs: startMs - 12_000 + 400 },
    ]
    const segments = cams.map(({ stream, byMs, wallOffsetMs }) => {
      const units = [
        ...unitsOf('video', video.samples, byMs),
        ...(audio ? unitsOf('audio', audio.samples, byMs) : []),
      ].sort((a, b) => a.dtsMs - b.dtsMs)
      return segment(1, units, {
        stream,
        wallOffsetMs,
        video: video.config,
        ...(audio && { audio: audio.config }),
      })
    })
    for (const sealed of segments) await putSegment(rig.ports.store, sealed)
    const from = startMs + cut
    await putRecording(rig.ports.store, recordingOf('take', segments, { from }))
    expect(await rig.drain()).toEqual([])

    const check = async (id: string) => {
      const { files, bytes } = await exported(rig, id)
      expect(files.map((file) => [file.stream, file.from])).toEqual([
        ['left', from],
        ['right', from],
      ])
      for (const [i, shiftMs] of [0, 400].entries()) {
        const due = stamps.map((pts) => pts - cut + shiftMs).filter((pts) => pts >= 0)
        const { shownMs, complaints } = decodePictures(bytes[i] ?? new Uint8Array())
        expect(complaints).toBe('')
        expect(shownMs).toEqual(due)
        const listed = (await csv(rig, id, 1, i === 0 ? 'left' : 'right')).map((line) => Number(line[4]))
        expect(listed.sort((a, b) => a - b)).toEqual(due)
      }
      return bytes
    }
    const raw = await check('take')
    rig.clock.advance(25 * 3_600_000)
    const { expire } = await import('../../../../cloud/jobs/expire.ts')
    expect(await expire(rig.ports, AbortSignal.timeout(10_000))).toMatchObject({ segments: 2 })
    expect(
      (await rig.ports.store.list('raw/lab/left/')).keys.map(({ key }) => key.split('.').at(-1)),
    ).toEqual(['idx', 'json'])
    await putRecording(rig.ports.store, recordingOf('again', segments, { from }))
    expect(await rig.drain()).toEqual([])
    expect((await check('again')).map((file) => file.length)).toEqual(raw.map((file) => file.length))
  },
)
