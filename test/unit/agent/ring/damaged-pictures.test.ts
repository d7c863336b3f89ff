import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recordingReport } from '../../../../agent/record/recording-report.ts'
import { openRing } from '../../../../agent/ring/ring.ts'
import { systemClock } from '../../../../shared/node/clock.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ring-damaged-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test('pictures that came damaged are kept, counted in the manifest and in the report', async () => {
  const agent = { name: 'lab', uuid: '00000000-0000-4000-8000-000000000001' }
  const onFatal = (error: Error) => {
    throw error
  }
  const startMs = 1_772_366_400_000
  await using ring = await openRing({
    ...{ dir, agent, quotaBytes: 1e9, whenFull: 'overwrite', clock: systemClock, onFatal },
  })
  const writer = ring.open({
    ...{ stream: 'cam', epoch: startMs, seq: 1, video: syntheticVideo, wallOffsetMs: 0, wallBoundMs: 10 },
    ...{ timeSource: 'device', continues: false },
  })
  for (let n = 0; n < 20; n += 1)
    writer.append({ ...syntheticPicture(n), ...(n % 5 === 2 && { damaged: true }) })
  const manifest = await writer.seal({ reason: 'test', wallOffsetMs: 0, wallBoundMs: 7 })
  expect(manifest?.video).toMatchObject({ units: 20, damaged: 4 })
  const [from, to] = [startMs, startMs + 2000]
  const streams = [{ name: 'cam', from, to, segments: [{ epoch: startMs, seq: 1 }], gaps: [] }]
  const open = { version: 1, id: 'take', agent: 'lab', rev: 1, state: 'closed', labels: [] } as const
  const report = await recordingReport({ ...open, labels: [], createdAt: from, from, to, streams }, ring)
  expect(report.streams).toMatchObject([{ pictures: 20, damaged: 4 }])
})
