import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StreamRecorder } from '../../agent/record/recorder.ts'
import { openRing } from '../../agent/ring/ring.ts'
import { RingDb } from '../../agent/ring/ring-db.ts'
import { nodeFs } from '../../agent/ring/ring-fs.ts'
import type { Ring } from '../../agent/ring/types.ts'
import { expire } from '../../cloud/jobs/expire.ts'
import { getRecording } from '../../cloud/rows/recording.ts'
import { findSegment } from '../../cloud/rows/segment.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { keys, type Manifest, type SegmentFile, soundFiles } from '../../shared/contract/segment.ts'
import type { AccessUnit, AudioConfig } from '../../shared/media/access-unit.ts'
import { adpcmConfig, g711Config, g726Config } from '../../shared/media/sound-config.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type JobsRig, openJobsRig } from '../support/jobs-rig.ts'
import { probePackets, probeStreams } from '../support/movie-judges.ts'
import { hasProgram } from '../support/shared-data.ts'
import { adpcmUnits, cutUnits, heard, noise, offsetOf, rawSound, soundUnit } from '../support/sound-units.ts'
import { StorageRig } from '../support/storage-rig.ts'
import { syntheticPicture } from '../support/synthetic.ts'

// Sound of vehicles through recorder, ring, store, mux and export: the ring's files are its own, the export's AAC.

const source = noise(8000 * 8)
const agent = { name: 'lab', uuid: '00000000-0000-4000-8000-000000000001' }
const ready = hasProgram('ffmpeg') && hasProgram('ffprobe')

const kinds: [SegmentFile, () => { config: AudioConfig; units: Uint8Array[] }][] = [
  [
    'g726',
    () => {
      const raw = rawSound(source, 8000, ['-c:a', 'g726', '-b:a', '24k', '-f', 'g726'])
      return { config: g726Config({ bits: 3, lowFirst: false }), units: cutUnits(raw, 120) }
    },
  ],
  ['adpcm', () => ({ config: adpcmConfig(), units: adpcmUnits(source, 320) })],
  [
    'g711u',
    () => ({ config: g711Config('g711u'), units: cutUnits(rawSound(source, 8000, ['-f', 'mulaw']), 320) }),
  ],
]

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgereel-sound-ring-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function open(): Promise<Ring> {
  const onFatal = (error: Error) => {
    throw error
  }
  return openRing({ dir, agent, quotaBytes: 1e9, whenFull: 'overwrite', clock: systemClock, onFatal })
}

/** In the order of their times. */
function unitsOf(made: { config: AudioConfig; units: Uint8Array[] }, startMs: number, withPictures: boolean) {
  const sound = made.units.map((bytes, n) => soundUnit(made.config, bytes, startMs + 20 + n * 40))
  const pictures = withPictures ? Array.from({ length: 80 }, (_, n) => syntheticPicture(n, { startMs })) : []
  return [...pictures, ...sound].sort((a, b) => a.dtsMs - b.dtsMs)
}

/** Records them in segments of 3 s; what was sealed, oldest first. */
async function record(units: readonly AccessUnit[]): Promise<Manifest[]> {
  await using ring = await open()
  const sealed: Manifest[] = []
  ring.onSealed((manifest) => sealed.push(manifest))
  const recorder = new StreamRecorder('car', {
    ring,
    clock: systemClock,
    segmentMs: 3000,
    onGap: () => undefined,
  })
  for (const unit of units) recorder.write({ ...unit, arrivalMs: systemClock.monotonicMs() })
  recorder.end('over')
  await recorder.flushNow()
  expect(recorder.stats).toMatchObject({ written: units.length, lost: 0 })
  return sealed
}

async function archive(rig: JobsRig, manifests: readonly Manifest[]): Promise<void> {
  const exts: SegmentFile[] = ['h264', ...soundFiles, 'idx', 'json'] // The manifest last.
  for (const manifest of manifests) {
    for (const ext of exts) {
      const name = `${manifest.epoch}-${String(manifest.seq).padStart(6, '0')}.${ext}`
      const path = join(dir, 'ring/car', name)
      if (!existsSync(path)) continue
      const bytes = await readFile(path)
      const more = { sizeBytes: bytes.length, contentType: 'application/octet-stream' }
      await rig.ports.store.put(keys.raw(manifest, ext), bytes, more)
    }
  }
  const [from, to] = [Math.min(...manifests.map((m) => m.from)), Math.max(...manifests.map((m) => m.to))]
  const ids = manifests.map(({ epoch, seq }) => ({ epoch, seq }))
  const recording: Recording = {
    ...{
      version: 1,
      id: 'take',
      agent: 'lab',
      rev: 1,
      state: 'closed',
      labels: [],
      createdAt: from,
      from,
      to,
    },
    streams: [{ name: 'car', from, to, segments: ids, gaps: [] }],
  }
  const bytes = Buffer.from(JSON.stringify(recording))
  const more = { sizeBytes: bytes.length, contentType: 'application/json' }
  await rig.ports.store.put(keys.recording('lab', 'take', 1), bytes, more)
  expect(await rig.drain()).toEqual([])
}

async function exportOf(rig: JobsRig) {
  const rows = await getRecording(rig.ports.catalogue, 'take')
  const [file] = rows?.meta.files ?? []
  if (!file) throw new Error('no file was exported')
  return { file, movie: await rig.read(file.key) }
}

/** A place of the source is in the movie where it belongs. */
function expectInPlace(movie: Uint8Array, leadMs: number): void {
  const sound = heard(movie, 8000)
  for (const ms of [500, 4000, 7000]) {
    const at = { from: ms * 8, length: 1600, at: (ms + leadMs) * 8 }
    expect(Math.abs(offsetOf(source, sound, at) ?? Number.NaN)).toBeLessThanOrEqual(8)
  }
}

describe.skipIf(!ready).each(kinds)('%s', (ext, make) => {
  test('with pictures: raw in the ring and in the archive, AAC in the export; its raw file is kept', async () => {
    const made = make()
    const manifests = await record(unitsOf(made, Date.now(), true))
    expect(manifests.length).toBeGreaterThan(1)
    expect(manifests[0]?.audio).toMatchObject({ codec: ext, channels: 1, sampleRate: 8000 })
    const files = (await readdir(join(dir, 'ring/car'))).filter((name) => name.endsWith(`.${ext}`))
    expect(files).toHaveLength(manifests.length)
    const bytes = await Promise.all(files.map((name) => readFile(join(dir, 'ring/car', name))))
    expect(Buffer.concat(bytes)).toEqual(Buffer.concat(made.units))
    await using rig = await openJobsRig()
    await archive(rig, manifests)
    const { file, movie } = await exportOf(rig)
    expect(file.codec).toBe('avc1.42c01e, mp4a.40.2')
    expectInPlace(movie, 20)
    rig.clock.advance(25 * 3_600_000)
    await expire(rig.ports, AbortSignal.timeout(10_000))
    const [first] = manifests
    if (!first) return
    expect(await rig.ports.store.head(keys.raw(first, 'h264'))).toBeUndefined()
    expect(await rig.ports.store.head(keys.raw(first, ext))).toBeDefined()
  })

  test('alone: no MP4 of a segment, AAC in the export', async () => {
    const manifests = await record(unitsOf(make(), Date.now(), false))
    await using rig = await openJobsRig()
    await archive(rig, manifests)
    const [first] = manifests
    const row = first && (await findSegment(rig.ports.catalogue, first))
    expect(row).toMatchObject({ status: 'SUCCESS', damagedUnits: 0 })
    expect(row?.media).toBeUndefined()
    const { file, movie } = await exportOf(rig)
    expect(file).toMatchObject({ codec: 'mp4a.40.2', width: 0, height: 0 })
    expect(probeStreams(movie).streams).toHaveLength(1)
    expect(probePackets(movie, 'a').length).toBeGreaterThan(60)
    expectInPlace(movie, 0)
  })

  test('an agent that is killed: every unit that was written is there', async () => {
    let db: RingDb | undefined
    const clock = new FakeClock()
    const epoch = clock.nowMs()
    const start = () =>
      new StorageRig({
        ...{ fs: nodeFs, dir, clock },
        openDb: (path) => {
          db = new RingDb(path)
          return db
        },
      })
    const made = make()
    const killed = start()
    const slot = killed.open({ stream: 'car', epoch, seq: 1, audio: made.config })
    killed.append(slot, ...unitsOf(made, epoch, true))
    db?.[Symbol.dispose]() // The operating system lets go of its locks.
    start()
    const manifest: Manifest = JSON.parse(await readFile(join(dir, `ring/car/${epoch}-000001.json`), 'utf8'))
    expect(manifest).toMatchObject({ audio: { codec: ext, units: made.units.length }, video: { units: 80 } })
    expect((await stat(join(dir, `ring/car/${epoch}-000001.${ext}`))).size).toBe(
      Buffer.concat(made.units).length,
    )
    await using rig = await openJobsRig()
    await archive(rig, [manifest])
    expectInPlace((await exportOf(rig)).movie, 20)
  })
})
