import { expect, test } from 'vitest'
import { getRecording } from '../../../../cloud/rows/recording.ts'
import { openJobsRig } from '../../../support/jobs-rig.ts'
import { readByMediabunny } from '../../../support/movie-judges.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
} from '../../../support/segment-fixture.ts'
import {
  syntheticAudio,
  syntheticPicture,
  syntheticSound,
  syntheticVideo,
} from '../../../support/synthetic.ts'

const wallMs = Date.UTC(2026, 2, 1, 11)

/** Ten pictures from `zeroMs` on; the sound began before them, as it does where pictures are reordered. */
function segmentOf(epoch: number, zeroMs: number) {
  const sound = Array.from({ length: 45 }, (_, n) => unitOf(syntheticSound(n, { startMs: zeroMs - 46 })))
  const pictures = Array.from({ length: 10 }, (_, n) => unitOf(syntheticPicture(n, { startMs: zeroMs })))
  return sealSegment({
    ...{ agent: 'lab', stream: 'cam', epoch, seq: 1, units: [...sound, ...pictures] },
    ...{ video: syntheticVideo, audio: syntheticAudio, wallOffsetMs: wallMs },
  })
}

test('a later part begins with the sound that is heard before its first picture: no frame of it is lost', async () => {
  await using rig = await openJobsRig()
  const segments = [segmentOf(1, 1000), segmentOf(2, 5000)]
  for (const sealed of segments) await putSegment(rig.ports.store, sealed)
  await putRecording(
    rig.ports.store,
    recordingOf('take', segments, { from: wallMs + 954, to: wallMs + 9000 }),
  )
  expect(await rig.drain()).toEqual([])
  const rows = await getRecording(rig.ports.catalogue, 'take')
  const files = rows?.meta.files ?? []
  expect(files.map(({ from }) => from - wallMs)).toEqual([954, 4954])
  for (const { key } of files) {
    const movie = await rig.read(key)
    const sound = await readByMediabunny(movie, 'audio')
    const pictures = await readByMediabunny(movie, 'video')
    expect(sound).toHaveLength(45)
    expect(Math.round(sound[0]?.ptsMs ?? -1)).toBe(0)
    expect(pictures.map(({ ptsMs }) => Math.round(ptsMs)).slice(0, 2)).toEqual([46, 146])
  }
  const csv = (await rig.read('exports/take/v1/cam.csv')).toString().split('\n')
  expect(csv[11]?.split(',').slice(0, 5)).toEqual([
    '10',
    '2',
    String(wallMs + 5000),
    '2026-03-01T11:00:05.000Z',
    '46',
  ])
})
