import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { multipartAtOnceMax } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import type { PutOptions } from '../ports.ts'
import { awsError, nameOf } from './aws-error.ts'
import { storageClassOf } from './storage-class.ts'

export type Place = { client: S3Client; bucket: string; key: string }
type Uploaded = { etag: string; sha256: string | undefined }

/**
 * Stores a long body in parts, a few at once, each with its CRC-32; the CRC of the whole goes with the last
 * call, and S3 compares it. Whatever goes wrong, the parts are taken back; what a killed process leaves, the
 * bucket's lifecycle removes within a day.
 */
export async function uploadParts(
  place: Place,
  parts: AsyncIterable<Buffer>,
  options: PutOptions,
): Promise<Uploaded> {
  const id = await create(place, options)
  try {
    const sent = await sendParts(place, id, parts, options)
    const etag = await complete(place, id, sent, options)
    return { etag, sha256: sent.sha256 }
  } catch (cause) {
    await abort(place, id)
    throw cause
  }
}

async function create({ client, bucket, key }: Place, options: PutOptions): Promise<string> {
  const command = new CreateMultipartUploadCommand({
    Bucket: bucket,
    Key: key,
    ContentType: options.contentType,
    ...storageClassOf(options),
    ChecksumAlgorithm: 'CRC32',
    ChecksumType: 'FULL_OBJECT',
  })
  const { UploadId: id } = await client.send(command).catch(rethrow)
  if (id === undefined) throw new AppError('Unavailable', 'The object store began no upload.')
  return id
}

type Sent = { parts: CompletedPart[]; crc: string; sha256: string | undefined }

/** At most `multipartAtOnceMax` on their way; the first that fails ends the reading of the body. */
async function sendParts(
  place: Place,
  id: string,
  parts: AsyncIterable<Buffer>,
  { unsummed }: PutOptions,
): Promise<Sent> {
  const hash = unsummed ? undefined : createHash('sha256')
  const underWay = new Set<Promise<unknown>>()
  const sent: Promise<CompletedPart>[] = []
  let crc = 0
  try {
    for await (const bytes of parts) {
      crc = crc32(bytes, crc)
      hash?.update(bytes)
      const sending = sendPart(place, id, sent.length + 1, bytes)
      sent.push(sending)
      const settled = sending.finally(() => underWay.delete(settled))
      settled.catch(() => {}) // Told by whoever awaits it below.
      underWay.add(settled)
      if (underWay.size >= multipartAtOnceMax) await Promise.race(underWay)
    }
    return { parts: await Promise.all(sent), crc: base64Of(crc), sha256: hash?.digest('hex') }
  } catch (cause) {
    await Promise.allSettled(sent) // None may arrive after the upload was taken back.
    throw cause
  }
}

async function sendPart(
  { client, bucket, key }: Place,
  id: string,
  number: number,
  bytes: Buffer,
): Promise<CompletedPart> {
  const crc = base64Of(crc32(bytes))
  const command = new UploadPartCommand({
    Bucket: bucket,
    Key: key,
    UploadId: id,
    PartNumber: number,
    Body: bytes,
    ContentLength: bytes.length,
    ChecksumCRC32: crc,
  })
  const { ETag } = await client.send(command).catch(rethrow)
  return { ETag, PartNumber: number, ChecksumCRC32: crc }
}

async function complete(
  place: Place,
  id: string,
  { parts, crc }: Sent,
  { ifAbsent, sizeBytes }: PutOptions,
): Promise<string> {
  const command = new CompleteMultipartUploadCommand({
    Bucket: place.bucket,
    Key: place.key,
    UploadId: id,
    MultipartUpload: { Parts: parts },
    ChecksumCRC32: crc,
    ChecksumType: 'FULL_OBJECT',
    MpuObjectSize: sizeBytes,
    ...(ifAbsent && { IfNoneMatch: '*' }),
  })
  try {
    return (await place.client.send(command)).ETag ?? ''
  } catch (cause) {
    const isLostAnswer = nameOf(cause) === 'NoSuchUpload'
    const etag = isLostAnswer ? await etagOf(place, { crc, sizeBytes }) : undefined
    if (etag !== undefined) return etag
    throw awsError(cause, 'The object store')
  }
}

/** An upload that is gone when it is completed a second time was completed the first time, if this is its object. */
async function etagOf(
  { client, bucket, key }: Place,
  { crc, sizeBytes }: { crc: string; sizeBytes: number },
): Promise<string | undefined> {
  const command = new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' })
  const found = await client.send(command).catch(() => undefined)
  return found?.ContentLength === sizeBytes && found.ChecksumCRC32 === crc ? found.ETag : undefined
}

async function abort({ client, bucket, key }: Place, id: string): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id })
  await client.send(command).catch(() => {}) // The error to tell is the first one; the lifecycle removes the rest.
}

function base64Of(crc: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc)
  return bytes.toString('base64')
}

function rethrow(cause: unknown): never {
  throw awsError(cause, 'The object store')
}
