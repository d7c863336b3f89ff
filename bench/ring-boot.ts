import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { layoutOf } from '../agent/ring/names.ts'
import { openRing } from '../agent/ring/ring.ts'
import { RingDb } from '../agent/ring/ring-db.ts'
import { nodeFs } from '../agent/ring/ring-fs.ts'
import { rowOf } from '../agent/ring/row-of.ts'
import type { Manifest } from '../shared/contract/segment.ts'
import { systemClock } from '../shared/node/clock.ts'
import { agent, StorageRig } from '../test/support/storage-rig.ts'
import { syntheticPicture } from '../test/support/synthetic.ts'

/**
 * RELIABILITY.md A16: how long the ring needs to be ready with 100,000 sealed segments that are not uploaded, and
 * how much memory; with its index, and without (then it is made again from the manifests).
 * `node bench/ring-boot.ts [segments]`
 */
const count = Number(process.argv[2] ?? 100_000)
const streams = 50
const dir = await mkdtemp(join(tmpdir(), 'ring-boot-'))
const layout = layoutOf(dir)

await fill()
await boot('with its index')
await rm(layout.database)
await boot('index made again')
await rm(dir, { recursive: true })

/** One real segment, copied under other names: files, manifests and rows. */
async function fill(): Promise<void> {
  const seed = new StorageRig({ fs: nodeFs, dir, openDb: (path) => new RingDb(path) })
  const slot = seed.open({ stream: 'seed', epoch: 1_772_366_400_000, seq: 1 })
  for (let n = 0; n < 10; n += 1) seed.append(slot, syntheticPicture(n, { stream: 'seed' }))
  seed.seal(slot)
  const manifest = seed.of('sealed')[0]?.manifest
  if (!manifest) throw new Error('no seed')
  seed.storage[Symbol.dispose]()
  const media = { h264: await bytesOf(manifest, 'h264'), idx: await bytesOf(manifest, 'idx') }
  using db = new RingDb(layout.database)
  for (let i = 0; i < streams; i += 1) await mkdir(layout.stream(`cam-${i}`))
  for (let from = 0; from < count; from += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - from) }, (_, i) => copyOf(manifest, from + i))
    for (const copy of batch) await write(copy, media)
    db.transaction(() => {
      for (const copy of batch) db.putSegment(rowOf(copy, filesOf(copy)))
    })
  }
}

function copyOf(manifest: Manifest, i: number): Manifest {
  const from = manifest.from + i * 1000
  return {
    ...manifest,
    stream: `cam-${i % streams}`,
    seq: 1 + Math.floor(i / streams),
    from,
    to: from + 1000,
  }
}

function filesOf({ video, index }: Manifest) {
  const { sizeBytes, sha256 } = index
  const files = [
    { ext: 'idx' as const, sizeBytes, sha256 },
    { ext: 'json' as const, sizeBytes: 900, sha256 },
  ]
  return video ? [{ ext: 'h264' as const, ...video.file }, ...files] : files
}

async function write(copy: Manifest, media: { h264: Uint8Array; idx: Uint8Array }): Promise<void> {
  await writeFile(layout.segment(copy, 'h264'), media.h264)
  await writeFile(layout.segment(copy, 'idx'), media.idx)
  await writeFile(layout.segment(copy, 'json'), JSON.stringify(copy))
}

async function bytesOf(manifest: Manifest, ext: string): Promise<Uint8Array> {
  const fd = nodeFs.open(layout.segment(manifest, ext), 'read')
  const bytes = new Uint8Array(nodeFs.size(fd))
  nodeFs.read(fd, bytes, 0)
  nodeFs.close(fd)
  return bytes
}

async function boot(what: string): Promise<void> {
  const begun = systemClock.monotonicMs()
  const onFatal = (error: Error) => {
    throw error
  }
  const clock = systemClock
  await using ring = await openRing({ dir, agent, quotaBytes: 1e12, whenFull: 'stop', clock, onFatal })
  const readyMs = Math.round(systemClock.monotonicMs() - begun)
  const { total } = await ring.pendingUploads({ limit: 50 })
  ring.setStreamPolicy('cam-1', { upload: 'always' })
  const asked = systemClock.monotonicMs()
  const pending = await ring.pendingUploads({ limit: 50 })
  const askedMs = Math.round(systemClock.monotonicMs() - asked)
  const rssMb = Math.round(process.resourceUsage().maxRSS / 1024)
  const { segments } = ring.stats()
  console.log(
    JSON.stringify({ what, segments, readyMs, pendingMs: askedMs, rssMb, wanted: pending.total, total }),
  )
}
