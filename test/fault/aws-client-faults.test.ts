import { createHash } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, describe, expect, test } from 'vitest'
import { DynamoCatalogue } from '../../cloud/aws/dynamodb.ts'
import type { ObjectStore } from '../../cloud/ports.ts'
import { type AwsRig, closeAwsRigs, openAwsRig } from '../support/emulators/aws-rig.ts'
import { awsMissing, isRealAws } from '../support/emulators/aws-world.ts'
import { startFaultyDynamo } from '../support/emulators/faulty-dynamo.ts'
import type { Asked, Fault } from '../support/strict-s3/server.ts'

// RELIABILITY.md B5 to B8, B13, B14 and F7, where the jobs meet S3 and DynamoDB.

const missing = awsMissing() ?? (isRealAws ? 'an account cannot be told to fail' : undefined)
if (missing) console.log(`skipped: ${missing}`)
afterAll(closeAwsRigs)

const MiB = 1024 * 1024
const key = 'exports/take/v1/cam-1.mp4'
const contentType = 'video/mp4'
const small = Buffer.from('0123456789')
const large = Buffer.from(Array.from({ length: 20 * MiB }, (_, i) => (i * 31 + (i >> 12)) & 0xff))
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function* inPieces(bytes: Buffer, size = 3_000_001) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(store: ObjectStore): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await store.get(key)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** The first `times` requests that `which` names go wrong. Returns how often it was asked. */
function failing(rig: AwsRig, times: number, fault: Fault, which: (asked: Asked) => boolean) {
  const seen = { count: 0 }
  if (rig.world.strict)
    rig.world.strict.fault = (asked) => {
      if (!which(asked)) return undefined
      seen.count += 1
      return seen.count <= times ? fault : undefined
    }
  return seen
}

const isPut = ({ method, query }: Asked) => method === 'PUT' && !query.has('notification')
const isGet = ({ method }: Asked) => method === 'GET'
const isPart = ({ method, query }: Asked) => method === 'PUT' && query.has('partNumber')
const isComplete = ({ method, query }: Asked) => method === 'POST' && query.has('uploadId')

describe.skipIf(missing)('S3 that fails', () => {
  test.each<[string, Fault]>([
    ['503 SlowDown', { status: 503, code: 'SlowDown' }],
    ['500 InternalError', { status: 500, code: 'InternalError' }],
    ['429 TooManyRequests', { status: 429, code: 'TooManyRequestsException' }],
    ['400 RequestTimeout', { status: 400, code: 'RequestTimeout' }],
    ['a connection that breaks', 'reset'],
  ])('%s: tried again with the same body', async (_name, fault) => {
    await using rig = await openAwsRig()
    const puts = failing(rig, 3, fault, isPut)
    await rig.cloud.store.put(key, small, { sizeBytes: 10, contentType })
    expect(puts.count).toBe(4)
    expect(await read(rig.cloud.store)).toEqual(small)
  })

  test('gives up in the end, with an error that is tried again later', async () => {
    await using rig = await openAwsRig()
    const gets = failing(rig, 100, { status: 500, code: 'InternalError' }, isGet)
    await expect(rig.cloud.store.get(key)).rejects.toMatchObject({ kind: 'Unavailable', terminal: false })
    expect(gets.count).toBeLessThanOrEqual(8)
  })

  test('an answer that is lost after the object was stored: 412 for the second try, and that is a success', async () => {
    await using rig = await openAwsRig()
    const puts = failing(rig, 1, 'lose-answer', isPut)
    await rig.cloud.store.put(key, small, { sizeBytes: 10, contentType, ifAbsent: true })
    expect(puts.count).toBe(2)
    expect(rig.world.strict?.refused).toEqual(['PreconditionFailed'])
    const other = Buffer.from('9876543210')
    const again = rig.cloud.store.put(key, other, { sizeBytes: 10, contentType, ifAbsent: true })
    await expect(again).rejects.toMatchObject({ kind: 'AlreadyExists' })
    expect(await read(rig.cloud.store)).toEqual(small)
  })

  test('a body that breaks off again and again is read on where it broke off', async () => {
    await using rig = await openAwsRig()
    await rig.cloud.store.put(key, inPieces(large), { sizeBytes: large.length, contentType })
    const gets = failing(rig, 4, { cut: 3_000_000 }, isGet)
    expect((await read(rig.cloud.store)).equals(large)).toBe(true)
    expect(gets.count).toBe(5)
  })

  test('an object that is replaced while it is read on is not glued to the old one', async () => {
    await using rig = await openAwsRig()
    await rig.cloud.store.put(key, inPieces(large), { sizeBytes: large.length, contentType })
    failing(rig, 1, { cut: 3_000_000 }, isGet)
    const body = await rig.cloud.store.get(key)
    await rig.cloud.store.put(key, inPieces(Buffer.alloc(large.length)), {
      sizeBytes: large.length,
      contentType,
    })
    const all = async () => {
      for await (const _chunk of body);
    }
    await expect(all()).rejects.toMatchObject({ kind: 'Aborted' })
  })

  test.each<[string, Fault, string]>([
    ['the bucket denies', { status: 403, code: 'AccessDenied' }, 'PermissionDenied'],
    ['the bucket is gone', { status: 404, code: 'NoSuchBucket' }, 'FailedPrecondition'],
    ['its key is disabled', { status: 400, code: 'KMS.DisabledException' }, 'FailedPrecondition'],
  ])('%s: for ever, until a person has looked', async (_name, fault, kind) => {
    await using rig = await openAwsRig()
    const asked = failing(rig, 100, fault, () => true)
    await expect(rig.cloud.store.put(key, small, { sizeBytes: 10, contentType })).rejects.toMatchObject({
      kind,
      terminal: true,
    })
    await expect(rig.cloud.store.get(key)).rejects.toMatchObject({ kind, terminal: true })
    expect(asked.count).toBe(2)
  })

  test('a clock that is an hour off is put right by the date of the answer', async () => {
    await using rig = await openAwsRig()
    rig.world.aheadMs = 3_600_000
    await rig.cloud.store.put(key, small, { sizeBytes: 10, contentType })
    expect(await read(rig.cloud.store)).toEqual(small)
    expect(rig.world.strict?.refused.at(-1)).toBe('RequestTimeTooSkewed')
  })

  test('a checksum that does not fit on its way is tried again, and is an error in the end', async () => {
    await using rig = await openAwsRig()
    failing(rig, 100, { status: 400, code: 'BadDigest' }, isPut)
    const put = rig.cloud.store.put(key, small, { sizeBytes: 10, contentType })
    await expect(put).rejects.toMatchObject({ kind: 'InvalidArgument' })
  })
})

describe.skipIf(missing)('an object in parts', () => {
  const options = { sizeBytes: large.length, contentType }

  test('comes back whole, with its checksum, and notifies once', async () => {
    await using rig = await openAwsRig()
    await rig.cloud.store.put(key, inPieces(large), options)
    expect((await read(rig.cloud.store)).equals(large)).toBe(true)
    expect(await rig.cloud.store.head(key)).toMatchObject({ sizeBytes: large.length, sha256: sha256(large) })
    expect(rig.world.strict?.openUploads()).toBe(0)
  })

  test.each<[string, Fault, (asked: Asked) => boolean]>([
    ['parts are slowed down', { status: 503, code: 'SlowDown' }, isPart],
    ['connections break in the parts', 'reset', isPart],
    ['the answer of a part is lost', 'lose-answer', isPart],
    ['the answer of the completion is lost', 'lose-answer', isComplete],
    ['the completion fails inside', { status: 500, code: 'InternalError' }, isComplete],
  ])('%s: it is the same object', async (_name, fault, which) => {
    await using rig = await openAwsRig()
    failing(rig, 2, fault, which)
    await rig.cloud.store.put(key, inPieces(large), options)
    expect((await read(rig.cloud.store)).equals(large)).toBe(true)
    expect(rig.world.strict?.openUploads()).toBe(0)
  })

  test.each<[string, () => AsyncIterable<Uint8Array>]>([
    [
      'breaks off',
      async function* () {
        yield* inPieces(large.subarray(0, 17 * MiB))
        throw new Error('the run was killed')
      },
    ],
    ['is too short', () => inPieces(large.subarray(1))],
    ['is too long', () => inPieces(Buffer.concat([large, small]))],
  ])('whose body %s leaves no object, no part, and the old object', async (_name, body) => {
    await using rig = await openAwsRig()
    await rig.cloud.store.put(key, small, { sizeBytes: 10, contentType })
    await expect(rig.cloud.store.put(key, body(), options)).rejects.toThrow()
    expect(rig.world.strict?.openUploads()).toBe(0)
    expect(await read(rig.cloud.store)).toEqual(small)
  })

  test('of which a part is refused for ever is taken back', async () => {
    await using rig = await openAwsRig()
    failing(rig, 100, { status: 403, code: 'AccessDenied' }, isPart)
    await expect(rig.cloud.store.put(key, inPieces(large), options)).rejects.toMatchObject({
      kind: 'PermissionDenied',
    })
    expect(rig.world.strict?.openUploads()).toBe(0)
    expect(await rig.cloud.store.head(key)).toBeUndefined()
  })

  test('of which a killed process has left parts is made again under the same key', async () => {
    await using rig = await openAwsRig()
    const isAbort = ({ method, query }: Asked) => method === 'DELETE' && query.has('uploadId')
    const dead = ({ query, ...asked }: Asked) =>
      query.get('partNumber') === '3' || isAbort({ query, ...asked })
    failing(rig, 100, { status: 403, code: 'AccessDenied' }, dead)
    await expect(rig.cloud.store.put(key, inPieces(large), options)).rejects.toThrow()
    expect(rig.world.strict?.openUploads()).toBe(1) // The bucket's lifecycle removes them within a day.
    failing(rig, 0, 'reset', dead)
    await rig.cloud.store.put(key, inPieces(large), options)
    expect((await read(rig.cloud.store)).equals(large)).toBe(true)
  })

  test('whose upload the lifecycle removed on the way is made from the start by the next try', async () => {
    await using rig = await openAwsRig()
    failing(rig, 100, { status: 404, code: 'NoSuchUpload' }, isComplete)
    await expect(rig.cloud.store.put(key, inPieces(large), options)).rejects.toMatchObject({
      terminal: false,
    })
    failing(rig, 0, 'reset', isComplete)
    await rig.cloud.store.put(key, inPieces(large), options)
    expect((await read(rig.cloud.store)).equals(large)).toBe(true)
  })
})

describe.skipIf(missing)('DynamoDB that fails', () => {
  async function behindFaults(rig: AwsRig) {
    const proxy = await startFaultyDynamo(process.env.AWS_ENDPOINT_URL_DYNAMODB ?? '')
    const client = new DynamoDBClient({ endpoint: proxy.url, maxAttempts: 5 })
    const catalogue = new DynamoCatalogue(client, rig.environment.table, rig.clock)
    return {
      proxy,
      catalogue,
      close: async () => {
        client.destroy()
        await proxy[Symbol.asyncDispose]()
      },
    }
  }

  test.each(['ProvisionedThroughputExceededException', 'ThrottlingException', 'InternalServerError'])(
    '%s is waited out',
    async (code) => {
      await using rig = await openAwsRig()
      const { proxy, catalogue, close } = await behindFaults(rig)
      proxy.fail = { times: 3, code, isLost: false }
      expect(await catalogue.put({ pk: 'p', sk: 's' }, 'absent')).toBe(1)
      proxy.fail = { times: 3, code, isLost: false }
      expect(await catalogue.get('p', 's')).toMatchObject({ version: 1 })
      proxy.fail = { times: 100, code, isLost: false }
      await expect(catalogue.get('p', 's')).rejects.toMatchObject({ kind: 'Unavailable', terminal: false })
      await close()
    },
  )

  test('a write whose answer is lost counts once, and is no lost race', async () => {
    await using rig = await openAwsRig()
    const { proxy, catalogue, close } = await behindFaults(rig)
    const lost = { times: 1, code: '', isLost: true }
    proxy.fail = { ...lost }
    expect(await catalogue.put({ pk: 'p', sk: 's' }, 'absent')).toBe(1)
    proxy.fail = { ...lost }
    expect(await catalogue.put({ pk: 'p', sk: 's', n: 2 }, 1)).toBe(2)
    proxy.fail = { ...lost }
    await catalogue.putAll([{ row: { pk: 'p', sk: 's', n: 3 }, condition: 2 }])
    expect(await catalogue.get('p', 's')).toEqual({ pk: 'p', sk: 's', n: 3, version: 3 })
    await expect(catalogue.put({ pk: 'p', sk: 's' }, 2)).rejects.toMatchObject({ kind: 'Aborted' })
    proxy.fail = { ...lost }
    await catalogue.delete('p', 's', 3)
    expect(await catalogue.get('p', 's')).toBeUndefined()
    await close()
  })

  test('a row that is too long by its own count, and a table that is gone, are told for what they are', async () => {
    await using rig = await openAwsRig()
    const { proxy, catalogue, close } = await behindFaults(rig)
    proxy.fail = { times: 100, code: 'ValidationException', isLost: false }
    await expect(catalogue.put({ pk: 'p', sk: 's' }, 'absent')).rejects.toMatchObject({
      kind: 'InvalidArgument',
    })
    proxy.fail = { times: 100, code: 'ResourceNotFoundException', isLost: false }
    await expect(catalogue.get('p', 's')).rejects.toMatchObject({ kind: 'FailedPrecondition' })
    await close()
  })

  test('eight who write without a condition all get through, each with a version of its own', async () => {
    await using rig = await openAwsRig()
    const versions = await Promise.all(
      Array.from({ length: 8 }, (_, n) => rig.cloud.catalogue.put({ pk: 'p', sk: 's', n }, 'any')),
    )
    expect(versions.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })
})
