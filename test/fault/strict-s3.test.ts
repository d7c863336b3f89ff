import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, describe, expect, test } from 'vitest'
import { multipartBytes, rarelyReadBytesMin } from '../../shared/cloud-limits.ts'
import { type AwsRig, closeAwsRigs, openAwsRig } from '../support/emulators/aws-rig.ts'
import { awsMissing, isRealAws } from '../support/emulators/aws-world.ts'

// The emulators answer 200 to all of this. Each forgery is refused as S3 refuses it; against an account
// (EDGEREEL_AWS_TEST=real) the same table asks S3 itself.

const missing = awsMissing()
if (missing) console.log(`skipped: ${missing}`)
afterAll(closeAwsRigs)

const body = Buffer.from('0123456789')
const sha256 = createHash('sha256').update(body).digest('hex')
const other = createHash('sha256').update('other').digest('base64')
const key = 'raw/lab/cam/1700000000000-000000.h264'
const request = { key, sizeBytes: 10, sha256, contentType: 'application/octet-stream', expiresS: 900 }

type Sent = { url: URL; method: string; headers: Record<string, string>; body: Buffer }
type Forgery = [name: string, forge: (sent: Sent) => void, status: number, code: string]

const header =
  (name: string, value?: string) =>
  ({ headers }: Sent): void => {
    if (value === undefined) Reflect.deleteProperty(headers, name)
    else headers[name] = value
  }
const query =
  (name: string, value: string) =>
  ({ url }: Sent): void =>
    url.searchParams.set(`X-Amz-${name}`, value)
const path =
  (from: string, to: string) =>
  ({ url }: Sent): void => {
    url.pathname = url.pathname.replace(from, to)
  }
const withBody =
  (bytes: Buffer) =>
  (sent: Sent): void => {
    sent.body = bytes
  }

function unsign({ url }: Sent): void {
  url.search = ''
}
function asAnother({ url }: Sent): void {
  const credential = url.searchParams.get('X-Amz-Credential') ?? ''
  url.searchParams.set('X-Amz-Credential', credential.replace(/^[^/]+/, 'AKIAOTHER'))
}

const forgeries: Forgery[] = [
  ['no signature', unsign, 403, 'AccessDenied'],
  ['a signature of zeros', query('Signature', '0'.repeat(64)), 403, 'SignatureDoesNotMatch'],
  ['another key', path('000000.h264', '000001.h264'), 403, 'SignatureDoesNotMatch'],
  ['a key that climbs', path('lab', 'lab%2F..%2Fother'), 403, 'SignatureDoesNotMatch'],
  ['a longer life', query('Expires', '86400'), 403, 'SignatureDoesNotMatch'],
  ['a life of eight days', query('Expires', '691200'), 400, 'AuthorizationQueryParametersError'],
  ['a later birth', query('Date', '20300101T000000Z'), 403, 'AccessDenied'],
  ['another person', asAnother, 403, 'InvalidAccessKeyId'],
  ['fewer signed headers', query('SignedHeaders', 'host'), 403, 'AccessDenied'],
  [
    'another method',
    (sent) => void Object.assign(sent, { method: 'DELETE', headers: {} }),
    403,
    'SignatureDoesNotMatch',
  ],
  ['a copy instead of a body', header('x-amz-copy-source', '/other/secret'), 403, 'AccessDenied'],
  ['an ACL', header('x-amz-acl', 'public-read'), 403, 'AccessDenied'],
  ['metadata', header('x-amz-meta-sha256', sha256), 403, 'AccessDenied'],
  ['another type', header('content-type', 'text/html'), 403, 'SignatureDoesNotMatch'],
  ['a shorter body', withBody(body.subarray(1)), 403, 'SignatureDoesNotMatch'],
  ['a longer body', withBody(Buffer.concat([body, body])), 403, 'SignatureDoesNotMatch'],
  ['another body of that length', withBody(Buffer.from('9876543210')), 400, 'BadDigest'],
  ['another checksum', header('x-amz-checksum-sha256', other), 403, 'SignatureDoesNotMatch'],
  ['no checksum', header('x-amz-checksum-sha256'), 403, 'SignatureDoesNotMatch'],
  ['no If-None-Match', header('if-none-match'), 403, 'SignatureDoesNotMatch'],
  ['If-None-Match of an ETag', header('if-none-match', '"x"'), 403, 'SignatureDoesNotMatch'],
]

async function send({ url, method, headers, body: bytes }: Sent) {
  const { 'content-length': _length, ...rest } = headers
  const put = method === 'PUT' ? { body: new Uint8Array(bytes) } : {}
  const answer = await fetch(url, { method, headers: rest, ...put })
  return { status: answer.status, code: /<Code>(.*?)<\/Code>/.exec(await answer.text())?.[1] }
}

async function signed(rig: AwsRig): Promise<Sent> {
  const { url, headers } = await rig.cloud.store.presignPut(request)
  return { url: new URL(url), method: 'PUT', headers: { ...headers }, body }
}

describe.skipIf(missing)('the strict S3 of the tests', () => {
  test.each(forgeries)('refuses %s', async (_name, forge, status, code) => {
    await using rig = await openAwsRig()
    const sent = await signed(rig)
    forge(sent)
    expect(await send(sent)).toEqual({ status, code })
    expect((await rig.cloud.store.list('raw/')).keys).toEqual([])
  })

  test('takes what was signed, once; a second is 412, of many at once one wins', async () => {
    await using rig = await openAwsRig()
    const sent = await signed(rig)
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(sent)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412, 412])
    expect(await rig.cloud.store.head(key)).toMatchObject({ sizeBytes: 10, sha256 })
  })

  test('takes no checksum from the query: signed by the defaults of the SDK, a wrong body gets through', async () => {
    await using rig = await openAwsRig()
    const client = new S3Client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
    const sum = Buffer.from(sha256, 'hex').toString('base64')
    const command = new PutObjectCommand({ Bucket: rig.environment.bucket, Key: key, ChecksumSHA256: sum })
    const url = new URL(await getSignedUrl(client, command, { expiresIn: 60 }))
    expect(url.searchParams.get('x-amz-checksum-sha256')).toBe(sum)
    const wrong = { url, method: 'PUT', headers: {}, body: Buffer.from('9876543210') }
    expect((await send(wrong)).status).toBe(200) // Which is why presignPut tells the SDK not to.
    client.destroy()
  })

  test.skipIf(isRealAws)('lets an address die on time, and refuses one of the future', async () => {
    await using rig = await openAwsRig()
    const sent = await signed(rig)
    rig.world.aheadMs = 901_000
    expect(await send(sent)).toEqual({ status: 403, code: 'AccessDenied' })
    rig.world.aheadMs = -16 * 60_000
    expect(await send(sent)).toEqual({ status: 403, code: 'AccessDenied' })
    rig.world.aheadMs = 899_000
    expect((await send(sent)).status).toBe(200)
  })

  test.skipIf(isRealAws)('stores nothing of a body that breaks off', async () => {
    await using rig = await openAwsRig()
    const { url, headers } = await signed(rig)
    const socket = connect(Number(url.port), url.hostname)
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(
      `PUT ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${lines.join('')}\r\n01234`,
    )
    socket.end()
    await once(socket.resume(), 'close')
    expect(await rig.cloud.store.head(key)).toBeUndefined()
  })

  test('refuses notifications that overlap', async () => {
    await using rig = await openAwsRig()
    const client = new S3Client({})
    const QueueArn = `arn:aws:sqs:us-east-1:000000000000:${rig.environment.queues.mux.url.split('/').at(-1)}`
    const rule = (prefix: string, suffix: string) => ({
      QueueArn,
      Events: ['s3:ObjectCreated:*' as const],
      Filter: {
        Key: {
          FilterRules: [
            { Name: 'prefix' as const, Value: prefix },
            { Name: 'suffix' as const, Value: suffix },
          ],
        },
      },
    })
    const set = (...rules: ReturnType<typeof rule>[]) =>
      client.send(
        new PutBucketNotificationConfigurationCommand({
          Bucket: rig.environment.bucket,
          NotificationConfiguration: { QueueConfigurations: rules },
        }),
      )
    await expect(set(rule('raw/', '.json'), rule('raw/lab/', '.json'))).rejects.toThrow(/overlap/)
    await expect(set(rule('raw/', '.json'), rule('', 'n'))).rejects.toThrow(/overlap/)
    await set(rule('raw/', '.json'), rule('raw/', '.idx'))
    client.destroy()
  })

  test('refuses parts that are too small, missing, out of order, or do not make the whole', async () => {
    await using rig = await openAwsRig()
    const client = new S3Client({ maxAttempts: 1 })
    const place = { Bucket: rig.environment.bucket, Key: 'exports/x/v1/cam-1.mp4' }
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ ...place, ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }),
    )
    const upload = { ...place, UploadId }
    const part = async (PartNumber: number, sizeBytes: number) => {
      const sent = await client.send(
        new UploadPartCommand({ ...upload, PartNumber, Body: Buffer.alloc(sizeBytes, PartNumber) }),
      )
      return { PartNumber, ETag: sent.ETag }
    }
    const complete = (Parts: { PartNumber: number; ETag: string | undefined }[], more = {}) =>
      client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, ...more }))
    const [small, large, last] = [await part(1, 1000), await part(2, 5 * 1024 * 1024), await part(3, 10)]
    await expect(complete([small, large])).rejects.toMatchObject({ name: 'EntityTooSmall' })
    await expect(complete([last, large])).rejects.toMatchObject({ name: 'InvalidPartOrder' })
    await expect(complete([large, { PartNumber: 9, ETag: '"x"' }])).rejects.toMatchObject({
      name: 'InvalidPart',
    })
    const wrong = { ChecksumCRC32: 'AAAAAA==', ChecksumType: 'FULL_OBJECT' }
    await expect(complete([large, last], wrong)).rejects.toMatchObject({ name: 'BadDigest' })
    await client.send(new AbortMultipartUploadCommand(upload))
    await expect(complete([large, last])).rejects.toMatchObject({ name: 'NoSuchUpload' })
    client.destroy()
  })
})

describe.skipIf(missing)('what is rarely read', () => {
  test('lies where storage is cheap, in parts or whole, unless it is small', async () => {
    await using rig = await openAwsRig()
    const { store } = rig.cloud
    const s3 = new S3Client({})
    const put = async (name: string, sizeBytes: number, rarelyRead: boolean) => {
      const options = { sizeBytes, contentType: 'video/mp4', rarelyRead }
      await store.put(`exports/${name}`, Buffer.alloc(sizeBytes), options)
      const head = new HeadObjectCommand({ Bucket: rig.environment.bucket, Key: `exports/${name}` })
      return (await s3.send(head)).StorageClass ?? 'STANDARD'
    }
    expect(await put('whole', rarelyReadBytesMin, true)).toBe('STANDARD_IA')
    expect(await put('parts', multipartBytes + 1, true)).toBe('STANDARD_IA')
    expect(await put('small', rarelyReadBytesMin - 1, true)).toBe('STANDARD')
    expect(await put('often', rarelyReadBytesMin, false)).toBe('STANDARD')
    s3.destroy()
  })
})
