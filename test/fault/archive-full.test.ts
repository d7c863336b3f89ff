import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { handlers } from '../../cloud/jobs/handlers.ts'
import { redrive } from '../../cloud/jobs/redrive.ts'
import { openLocalCloud } from '../../cloud/local/local-cloud.ts'
import { lookAtMachine } from '../../cloud/local/machine.ts'
import { findSegment } from '../../cloud/rows/segment.ts'
import { keys } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { putSegment, sealSegment, unitOf } from '../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../support/synthetic.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const isRoot = process.getuid?.() === 0
const id = { agent: 'lab', stream: 'cam', epoch: 1_700_000_000_000 }
const segment = (seq: number) =>
  sealSegment({
    ...{ ...id, seq },
    video: syntheticVideo,
    units: Array.from({ length: 30 }, (_, i) => unitOf(syntheticPicture(i, { bytes: 100_000 }))),
  })

/** A disk of 24 MB; the archive lies on it, with its database. */
async function smallDisk(): Promise<
  AsyncDisposable & { path: string; fill(leaveBytes: number): Promise<void> }
> {
  await using stack = new AsyncDisposableStack()
  const { path } = stack.use(await temporaryDirectory())
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', path])
  stack.defer(() => void execFileSync('umount', ['-l', path]))
  const closing = stack.move()
  const fill = async (leaveBytes: number) => {
    const { bavail, bsize } = await statfs(path)
    await writeFile(join(path, 'ballast'), new Uint8Array(Math.max(0, bavail * bsize - leaveBytes))).catch(
      () => {},
    )
  }
  return { path, fill, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

async function openCloud(dir: string) {
  const clock = new FakeClock()
  const cloud = await openLocalCloud({ dir, clock })
  const muxOnce = async (): Promise<AppError | undefined> => {
    const [message] = await cloud.queue.receive('mux', { max: 1, visibilityS: 60 })
    if (!message) return undefined
    try {
      await handlers.mux?.(message.body, { ...cloud, clock }, AbortSignal.timeout(60_000))
      await cloud.queue.remove('mux', message.receipt)
      return undefined
    } catch (cause) {
      const error = AppError.from(cause)
      if (error.terminal) await cloud.queue.bury('mux', message.receipt, message.body)
      else await cloud.queue.extend('mux', message.receipt, 0)
      return error
    }
  }
  return { cloud, clock, muxOnce }
}

// Mounting needs root. test/unit/cloud/jobs/redrive.test.ts says the same of a disk that only claims to be full.
test.skipIf(!isRoot)('an upload to a full archive is told so with 503 and leaves nothing', async () => {
  await using disk = await smallDisk()
  const { cloud } = await openCloud(disk.path)
  await using _cloud = cloud
  await disk.fill(1_000_000)
  const body = Buffer.alloc(3_000_000, 7)
  const sha256 = createHash('sha256').update(body).digest('hex')
  const key = keys.raw({ ...id, seq: 9 }, 'h264')
  const target = {
    key,
    sizeBytes: body.length,
    sha256,
    contentType: 'application/octet-stream',
    expiresS: 60,
  }
  const { url, headers } = await cloud.store.presignPut(target)
  const put = () => cloud.storeRoute(new Request(`http://cloud${url}`, { method: 'PUT', headers, body }))

  const refused = await put()
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30'])
  expect(await refused.json()).toMatchObject({
    error: { code: 'Unavailable', message: expect.stringMatching(/full: free some space/) },
  })
  expect(await cloud.store.head(key)).toBeUndefined()
  expect(await readdir(join(disk.path, 'archive', '.tmp'))).toEqual([])
  expect((await lookAtMachine(disk.path)).disk).toMatchObject({ low: true })

  await rm(join(disk.path, 'ballast'))
  expect((await put()).status).toBe(200)
  expect(await cloud.store.head(key)).toMatchObject({ sha256 })
})

test.skipIf(!isRoot)(
  'a mux that finds the archive full fails in three, leaves nothing, and is redriven',
  async () => {
    await using disk = await smallDisk()
    const { cloud, clock, muxOnce } = await openCloud(disk.path)
    await using _cloud = cloud
    await putSegment(cloud.store, segment(1))
    await disk.fill(1_000_000)
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(await muxOnce()).toMatchObject({ kind: 'Unavailable', reason: 'RESOURCE_LIMIT' })
    }
    expect(await muxOnce()).toMatchObject({ terminal: true }) // The row is FAILED: the message is buried.
    expect(await findSegment(cloud.catalogue, { ...id, seq: 1 })).toMatchObject({
      ...{ status: 'FAILED', reason: 'RESOURCE_LIMIT', attempts: 3 },
    })
    expect(await readdir(join(disk.path, 'archive', '.tmp'))).toEqual([])
    expect((await cloud.store.list('media/')).keys).toEqual([])

    await rm(join(disk.path, 'ballast'))
    const [letter] = (await cloud.queue.deadLetters('mux')).messages
    await redrive({ ...cloud, clock }, 'mux', letter?.id ?? '')
    expect(await muxOnce()).toBeUndefined()
    expect(await findSegment(cloud.catalogue, { ...id, seq: 1 })).toMatchObject({ status: 'SUCCESS' })
  },
)

test.skipIf(!isRoot)('a database without space says so, and goes on when there is some', async () => {
  await using disk = await smallDisk()
  const { cloud } = await openCloud(disk.path)
  await using _cloud = cloud
  await disk.fill(0)
  const fillRows = async () => {
    for (let n = 0; n < 200; n += 1)
      await cloud.catalogue.put({ pk: 'X', sk: String(n), text: 'x'.repeat(100_000) }, 'any')
  }
  await expect(fillRows()).rejects.toMatchObject({ kind: 'Unavailable', reason: 'RESOURCE_LIMIT' })
  await expect(cloud.queue.send('mux', 'x'.repeat(200_000))).rejects.toMatchObject({ kind: 'Unavailable' })
  await rm(join(disk.path, 'ballast'))
  await cloud.catalogue.put({ pk: 'X', sk: 'after' }, 'any')
  expect(await cloud.catalogue.get('X', 'after')).toMatchObject({ sk: 'after' })
})
