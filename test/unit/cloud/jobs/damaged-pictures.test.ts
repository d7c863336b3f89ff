import { expect, test } from 'vitest'
import { recordingDetailOf } from '../../../../cloud/api/recording-view.ts'
import { getRecording } from '../../../../cloud/rows/recording.ts'
import { openJobsRig } from '../../../support/jobs-rig.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
} from '../../../support/segment-fixture.ts'
import { readLabels, syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

const startMs = Date.UTC(2026, 2, 1, 11)

test('pictures that came damaged are in the MP4, flagged in the CSV, and counted', async () => {
  await using rig = await openJobsRig()
  const hurt = new Set([3, 7, 8])
  const units = Array.from({ length: 20 }, (_, n) =>
    unitOf({ ...syntheticPicture(n, { startMs: 5000 }), ...(hurt.has(n) && { damaged: true }) }),
  )
  const sealed = sealSegment({
    ...{ agent: 'lab', stream: 'cam', epoch: 1, seq: 1, units, video: syntheticVideo },
    wallOffsetMs: startMs - 5000,
  })
  expect(sealed.manifest.video?.damaged).toBe(3)
  await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, recordingOf('take', [sealed]))
  expect(await rig.drain()).toEqual([])
  const rows = await getRecording(rig.ports.catalogue, 'take')
  if (!rows) throw new Error('no recording')
  const movie = await rig.read(rows.meta.files?.[0]?.key ?? '')
  expect(readLabels(movie)).toHaveLength(20)
  const [head, ...lines] = (await rig.read('exports/take/v1/cam.csv')).toString().trimEnd().split('\n')
  expect(head?.split(',').at(-1)).toBe('damaged')
  const flagged = lines.flatMap((line, n) => (line.split(',').at(-1) === '1' ? [n] : []))
  expect(flagged).toEqual([...hurt])
  const detail = await recordingDetailOf(rig.ports, rows)
  expect(detail.streams).toMatchObject([{ units: 20, damaged: 3, gaps: [] }])
})
