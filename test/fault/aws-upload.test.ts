import { createHash } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { createCloudClient } from '../../agent/upload/cloud-client.ts'
import { startUploader, type Uploader } from '../../agent/upload/uploader.ts'
import { apiHandler } from '../../cloud/aws/lambda/api-handler.ts'
import { addToken } from '../../cloud/rows/access.ts'
import { keys } from '../../shared/contract/segment.ts'
import type { AppError } from '../../shared/error.ts'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import { type AwsRig, closeAwsRigs, openAwsRig } from '../support/emulators/aws-rig.ts'
import { awsMissing, isRealAws } from '../support/emulators/aws-world.ts'
import { serveFunction } from '../support/emulators/lambda-http.ts'
import { fillSegment, MemoryRing } from '../support/memory-ring.ts'
import type { Asked, Fault } from '../support/strict-s3/server.ts'

// RELIABILITY.md B5 to B8, B10, B14 and H7: the agent's real uploader, the deployed function, S3 as strict as it is.

const missing = awsMissing() ?? (isRealAws ? 'an account cannot be told to fail' : undefined)
if (missing) console.log(`skipped: ${missing}`)
afterAll(closeAwsRigs)

type Upload = AsyncDisposable & { rig: AwsRig; ring: MemoryRing; uploader: Uploader; alarms: AppError[] }

const pauseMs = 100 // However long a pause is meant to be: nobody waits for it here.

/** Three segments that wait. */
async function upload(fault: (asked: Asked) => Fault | undefined): Promise<Upload> {
  await using stack = new AsyncDisposableStack()
  const rig = stack.use(await openAwsRig())
  const token = 'a-device-token-of-the-test'
  const sha256 = createHash('sha256').update(token).digest('hex')
  await addToken(rig.cloud.catalogue, { sha256, name: 'lab', role: 'device', agent: 'lab', createdAt: 1 })
  if (rig.world.strict) rig.world.strict.fault = fault
  const server = stack.use(await serveFunction(apiHandler(rig.cloud)))
  const ring = new MemoryRing()
  for (const seq of [0, 1, 2]) fillSegment(ring, seq, 200_000)
  const alarms: AppError[] = []
  const sleep: Clock['sleep'] = (ms, signal) => systemClock.sleep(Math.min(ms, pauseMs), signal)
  const clock = { ...rig.clock, sleep }
  const client = createCloudClient({
    base: server.url,
    headers: () => ({ authorization: `Bearer ${token}` }),
    clock,
  })
  const uploader = stack.use(
    startUploader({
      source: ring,
      client,
      clock,
      random: Math.random,
      bandwidth: null,
      hours: null,
      version: 'test',
      agentState: () => ({}),
      onAlarm: (error) => alarms.push(error),
    }),
  )
  const closing = stack.move()
  return { rig, ring, uploader, alarms, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

async function expectStored({ rig, ring, alarms }: Upload): Promise<void> {
  await expect.poll(() => ring.uploaded.size, { timeout: 90_000 }).toBe(3)
  expect([...ring.uploaded.values()]).toEqual([1, 1, 1])
  for (const segment of ring.segments)
    for (const { ext, sizeBytes, sha256 } of segment.files)
      expect(await rig.cloud.store.head(keys.raw({ ...segment, agent: 'lab' }, ext))).toMatchObject({
        sizeBytes,
        sha256,
      })
  expect(alarms).toEqual([])
}

const isPut = ({ method, query }: Asked) => method === 'PUT' && query.has('X-Amz-Signature')

/** Each file's first `times` PUTs go wrong. */
function firstTries(times: number, fault: Fault) {
  const tries = new Map<string, number>()
  return (asked: Asked) => {
    if (!isPut(asked)) return undefined
    const count = (tries.get(asked.key) ?? 0) + 1
    tries.set(asked.key, count)
    return count <= times ? fault : undefined
  }
}

describe.skipIf(missing)('an uploader before S3', () => {
  test.each<[string, number, Fault]>([
    ['503 SlowDown', 4, { status: 503, code: 'SlowDown' }],
    ['503 with Retry-After', 1, { status: 503, code: 'SlowDown', retryAfterS: 1 }],
    ['500 InternalError', 2, { status: 500, code: 'InternalError' }],
    ['429', 2, { status: 429, code: 'TooManyRequests' }],
    ['409 ConditionalRequestConflict', 2, { status: 409, code: 'ConditionalRequestConflict' }],
    ['400 RequestTimeout', 2, { status: 400, code: 'RequestTimeout' }],
    ['400 BadDigest of a line that flips bits', 2, { status: 400, code: 'BadDigest' }],
    ['403 of an address that has expired', 2, { status: 403, code: 'AccessDenied' }],
    ['a connection that breaks before the object is stored', 2, 'reset'],
    [
      'a connection that breaks after it was stored: then 412, and status says that it is mine',
      1,
      'lose-answer',
    ],
    ['a captive portal that says 200 to everything', 1, { status: 200, code: 'Welcome' }],
  ])('%s: everything arrives, once', { timeout: 120_000 }, async (_name, times, fault) => {
    await using it = await upload(firstTries(times, fault))
    await expectStored(it)
  })

  test.each([
    [403, 'AccessDenied'],
    [404, 'NoSuchBucket'],
    [400, 'KMS.DisabledException'],
  ])(
    'a bucket that answers %i %s to everything: nothing is lost, nothing is marked, and an alarm says why',
    {
      timeout: 60_000,
    },
    async (status, code) => {
      await using it = await upload((asked) => (isPut(asked) ? { status, code } : undefined))
      const told = () => it.uploader.status().error?.message
      await expect.poll(told, { timeout: 90_000 }).toContain(`The store denies uploads (${code})`)
      await expect.poll(() => it.alarms.length, { timeout: 90_000 }).toBe(1)
      await expect.poll(() => it.uploader.status(), { timeout: 90_000 }).toMatchObject({ state: 'denied' })
      expect(it.uploader.status()).toMatchObject({ setAside: 0, alarm: it.alarms[0]?.message })
      expect(it.ring.uploaded.size).toBe(0)
      expect(it.ring.segments).toHaveLength(3)
    },
  )

  test('another body under its key: a mismatch, set aside with an alarm, and never overwritten', {
    timeout: 60_000,
  }, async () => {
    let isOpen = false
    await using it = await upload((asked) =>
      isPut(asked) && !isOpen ? { status: 503, code: 'SlowDown' } : undefined,
    )
    const [first] = it.ring.segments
    if (!first) throw new Error('no segment')
    const key = keys.raw({ ...first, agent: 'lab' }, 'h264')
    const foreign = Buffer.from('of another machine with my name')
    await it.rig.cloud.store.put(key, foreign, {
      sizeBytes: foreign.length,
      contentType: 'application/octet-stream',
    })
    isOpen = true
    await expect.poll(() => it.ring.uploaded.size, { timeout: 90_000 }).toBe(2)
    await expect.poll(() => it.alarms.length, { timeout: 90_000 }).toBeGreaterThan(0)
    expect((await it.rig.cloud.store.head(key))?.sizeBytes).toBe(foreign.length)
  })
})
