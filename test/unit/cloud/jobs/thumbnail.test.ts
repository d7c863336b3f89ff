import { expect, test } from 'vitest'
import { makeThumbnail } from '../../../../cloud/jobs/thumbnail.ts'
import { findSegment } from '../../../../cloud/rows/segment.ts'
import { openJobsRig } from '../../../support/jobs-rig.ts'
import { movieSourceOf, realMovies } from '../../../support/movie-source.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
  unitsOf,
} from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

const epoch = 1_700_000_000_000
const never = new AbortController().signal

const [name, path] = realMovies[0] ?? []
test.skipIf(!path)(
  `one JPEG of a recording and of ten minutes (${name ?? 'needs FFmpeg and the data'})`,
  async () => {
    await using rig = await openJobsRig()
    const { video } = movieSourceOf(path ?? '')
    const segments = [1, 2, 3].map((seq) =>
      sealSegment({
        ...{ agent: 'lab', stream: 'cam', epoch, seq, video: video.config },
        units: unitsOf('video', video.samples, 5_000_000 + seq * 60_000),
      }),
    )
    for (const sealed of segments) await putSegment(rig.ports.store, sealed)
    await putRecording(rig.ports.store, recordingOf('take', segments))
    expect(await rig.drain({ queues: ['mux', 'export', 'thumbnail'] })).toEqual([])
    const rows = await Promise.all(segments.map(({ manifest }) => findSegment(rig.ports.catalogue, manifest)))
    expect(rows.map((row) => row?.thumbnail)).toEqual([
      'media/lab/cam/1700000000000-000001.jpg',
      undefined,
      undefined,
    ])
    const jpeg = await rig.read(rows[0]?.thumbnail ?? '')
    expect(jpeg.subarray(0, 3).toString('hex')).toBe('ffd8ff')
  },
)

test('without FFmpeg the MP4 is made, and the row says why there is no picture', async () => {
  await using rig = await openJobsRig({
    thumbnail: (body, ports, signal) => makeThumbnail(JSON.parse(body), ports, signal, async () => undefined),
  })
  const units = Array.from({ length: 10 }, (_, n) => unitOf(syntheticPicture(n)))
  const sealed = sealSegment({ agent: 'lab', stream: 'cam', epoch, seq: 1, units, video: syntheticVideo })
  await putSegment(rig.ports.store, sealed)
  expect(await rig.drain({ queues: ['mux', 'thumbnail'] })).toEqual([])
  const row = await findSegment(rig.ports.catalogue, sealed.manifest)
  expect(row).toMatchObject({
    status: 'SUCCESS',
    thumbnailNote: 'FFmpeg was not found: there is no thumbnail.',
  })
  expect(await rig.ports.queue.depth('thumbnail')).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
})

test.skipIf(!path)('a picture that cannot be decoded fails the thumbnail and nothing else', async () => {
  await using rig = await openJobsRig()
  const units = Array.from({ length: 10 }, (_, n) => unitOf(syntheticPicture(n)))
  const sealed = sealSegment({ agent: 'lab', stream: 'cam', epoch, seq: 1, units, video: syntheticVideo })
  await putSegment(rig.ports.store, sealed)
  expect(await rig.drain({ queues: ['mux', 'thumbnail'] })).toMatchObject([{ kind: 'InvalidArgument' }])
  expect(await findSegment(rig.ports.catalogue, sealed.manifest)).toMatchObject({ status: 'SUCCESS' })
  const message = { agent: 'lab', stream: 'cam', epoch, seq: 1, from: sealed.manifest.from }
  await expect(makeThumbnail(message, rig.ports, never)).rejects.toMatchObject({ terminal: true })
})
