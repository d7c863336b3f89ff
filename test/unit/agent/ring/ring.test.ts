import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRing } from '../../../../agent/ring/ring.ts'
import type { NewSegment, Ring } from '../../../../agent/ring/types.ts'
import { parseIndex } from '../../../../shared/media/index.ts'
import { systemClock } from '../../../../shared/node/clock.ts'
import {
  readLabels,
  syntheticAudio,
  syntheticPicture,
  syntheticSound,
  syntheticVideo,
} from '../../../support/synthetic.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ring-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const agent = { name: 'lab', uuid: '00000000-0000-4000-8000-000000000001' }

function open(): Promise<Ring> {
  const onFatal = (error: Error) => {
    throw error
  }
  return openRing({ dir, agent, quotaBytes: 1e9, whenFull: 'overwrite', clock: systemClock, onFatal })
}

const startMs = 1_772_366_400_000
const segment = (more: Partial<NewSegment> = {}): NewSegment => ({
  stream: 'cam',
  epoch: startMs,
  seq: 1,
  video: syntheticVideo,
  wallOffsetMs: 0,
  wallBoundMs: 10,
  timeSource: 'device',
  continues: false,
  ...more,
})

test('what was appended is in a sealed segment with its manifest, index and row', async () => {
  await using ring = await open()
  const sealed: string[] = []
  ring.onSealed((manifest) => sealed.push(`${manifest.stream} ${manifest.seq}`))
  const writer = ring.open(segment({ audio: syntheticAudio }))
  for (let n = 0; n < 25; n += 1) expect(writer.append(syntheticPicture(n))).toBe('taken')
  for (let n = 0; n < 50; n += 1) expect(writer.append(syntheticSound(n))).toBe('taken')
  const manifest = await writer.seal({ reason: 'test', wallOffsetMs: -5, wallBoundMs: 7 })

  expect(manifest).toMatchObject({
    from: startMs - 5,
    to: startMs + 2500 - 5,
    wallBoundMs: 7,
    continues: false,
  })
  expect(manifest?.video).toMatchObject({ codec: 'h264', width: 640, height: 480, units: 25, duplicates: 0 })
  expect(manifest?.audio).toMatchObject({ codec: 'aac', units: 50 })
  expect(sealed).toEqual(['cam 1'])

  const path = join(dir, 'ring/cam/1772366400000-000001')
  expect(readLabels(await readFile(`${path}.h264`)).map((label) => label.n)).toEqual([...Array(25).keys()])
  const index = parseIndex(await readFile(`${path}.idx`))
  expect(index.records.length).toBe(1 + 25 + 50)
  expect(JSON.parse(await readFile(`${path}.json`, 'utf8'))).toEqual(manifest)
  expect(await ring.segments({ stream: 'cam' })).toMatchObject([
    { seq: 1, units: 25, uploaded: false, local: true },
  ])
  expect(await ring.read(writer.key, 'h264', 0, 4)).toEqual(Uint8Array.of(0, 0, 0, 1))
})

test('sound that joins later is in the header too', async () => {
  await using ring = await open()
  const writer = ring.open(segment())
  writer.append(syntheticPicture(0))
  writer.append(syntheticSound(0))
  writer.append(syntheticPicture(1))
  const manifest = await writer.seal({ reason: 'test', wallOffsetMs: 0, wallBoundMs: 0 })
  expect(manifest).toMatchObject({ video: { units: 2 }, audio: { units: 1 } })
  const index = parseIndex(await readFile(join(dir, 'ring/cam/1772366400000-000001.idx')))
  expect(index.header.audio?.codec).toBe('aac')
  expect([...index.records].map((record) => record.track)).toEqual(['video', 'video', 'audio', 'video'])
})

test('a claim makes its segments wanted in the store; what is confirmed is not asked for again', async () => {
  await using ring = await open()
  const writer = ring.open(segment())
  writer.append(syntheticPicture(0))
  await writer.seal({ reason: 'test', wallOffsetMs: 0, wallBoundMs: 0 })
  expect((await ring.pendingUploads({ limit: 10 })).segments).toEqual([])

  const stream = { name: 'cam', from: startMs, to: startMs + 1000, segments: [], gaps: [] }
  const recording = {
    version: 1 as const,
    id: 'take-1',
    agent: 'lab',
    rev: 1,
    state: 'closed' as const,
    labels: [],
  }
  await ring.saveRecording({
    ...recording,
    createdAt: startMs,
    from: startMs,
    to: startMs + 1000,
    streams: [stream],
  })
  const pending = await ring.pendingUploads({ limit: 10 })
  expect(pending).toMatchObject({
    segments: [{ seq: 1 }],
    recordings: [{ id: 'take-1', rev: 1 }],
    total: { segments: 1 },
  })
  expect(pending.segments[0]?.files.map((file) => file.ext)).toEqual(['h264', 'idx', 'json'])

  await ring.markUploaded({ segments: [writer.key], recordings: [{ id: 'take-1', rev: 1 }] })
  expect(await ring.pendingUploads({ limit: 10 })).toMatchObject({ segments: [], recordings: [] })
  expect(await ring.segments({ stream: 'cam' })).toMatchObject([{ uploaded: true, local: true }])
  const last = (sinceMs: number) => ring.lastUploaded({ sinceMs, limit: 10 })
  expect(await last(startMs)).toMatchObject([{ seq: 1, files: pending.segments[0]?.files }])
  expect(await last(startMs + 1)).toEqual([])

  // The same claim in another revision asks for nothing; another one cannot know whether the store still has it.
  const closed = { ...recording, createdAt: startMs, from: startMs, to: startMs + 1000, streams: [stream] }
  await ring.saveRecording({ ...closed, rev: 2 })
  expect((await ring.pendingUploads({ limit: 10 })).segments).toEqual([])
  await ring.saveRecording({ ...closed, id: 'take-2' })
  expect((await ring.pendingUploads({ limit: 10 })).segments).toMatchObject([{ seq: 1, again: true }])
  await ring.markUploaded({ segments: [writer.key] })
  expect((await ring.pendingUploads({ limit: 10 })).segments).toEqual([])
})

test('a second agent is sent away, and the directory is free again afterwards', async () => {
  await using first = await open()
  expect(first.lastEpoch('cam')).toBe(0)
  await expect(open()).rejects.toMatchObject({ kind: 'AlreadyExists' })
  await first[Symbol.asyncDispose]()
  await using again = await open()
  expect(again.stats().quotaBytes).toBe(1e9)
})

test('what is open when the ring closes is sealed, and the next epoch is a new one', async () => {
  const first = await open()
  first.open(segment()).append(syntheticPicture(0))
  await first[Symbol.asyncDispose]()
  await using again = await open()
  expect(await again.segments({ stream: 'cam' })).toHaveLength(1)
  expect(again.takeCrashTail('cam')).toBeUndefined()
  expect(again.newEpoch('cam', startMs - 5)).toBe(startMs + 1)
})
