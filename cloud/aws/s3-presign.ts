import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { AppError } from '../../shared/error.ts'
import { presignGetSMax, presignPutSMax } from '../../shared/limits.ts'
import { contentDisposition } from '../content-disposition.ts'
import { checkKey } from '../object-key.ts'
import type { ObjectStore } from '../ports.ts'
import { awsError } from './aws-error.ts'

// Signed as headers, each with exactly its value. Moved into the query, as the SDK does by default, S3 would
// take the checksum for no checksum at all.
const signedHeaders = new Set([
  'host',
  'content-length',
  'content-type',
  'if-none-match',
  'x-amz-checksum-sha256',
])

/** A SigV4 query signature (S3 API reference, "Authenticating Requests: Using Query Parameters"). */
export async function presignPut(
  client: S3Client,
  bucket: string,
  request: Parameters<ObjectStore['presignPut']>[0],
  nowMs: number,
) {
  const { key, sizeBytes, contentType, expiresS } = request
  checkExpiry(expiresS, presignPutSMax)
  const sha256 =
    request.sha256 === undefined ? undefined : Buffer.from(request.sha256, 'hex').toString('base64')
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: checkKey(key),
    ContentLength: sizeBytes,
    ContentType: contentType,
    ...(sha256 !== undefined && { ChecksumSHA256: sha256 }),
    IfNoneMatch: '*',
  })
  const url = await getSignedUrl(client, command, {
    expiresIn: expiresS,
    signingDate: new Date(nowMs),
    unhoistableHeaders: signedHeaders,
    signableHeaders: signedHeaders,
  }).catch(rethrow)
  const headers = {
    'content-length': String(sizeBytes),
    'content-type': contentType,
    'if-none-match': '*',
    ...(sha256 !== undefined && { 'x-amz-checksum-sha256': sha256 }),
  }
  return { url, headers, expiresAt: expiryOf(expiresS, nowMs) }
}

export async function presignGet(
  client: S3Client,
  bucket: string,
  request: Parameters<ObjectStore['presignGet']>[0],
  nowMs: number,
): Promise<string> {
  const { key, expiresS, filename, contentType } = request
  checkExpiry(expiresS, presignGetSMax)
  const command = new GetObjectCommand({
    Bucket: bucket,
    Key: checkKey(key),
    ResponseCacheControl: 'private, no-store',
    ...(filename !== undefined && { ResponseContentDisposition: contentDisposition(filename) }),
    ...(contentType !== undefined && { ResponseContentType: contentType }),
  })
  const options = { expiresIn: expiresS, signingDate: new Date(nowMs) }
  return await getSignedUrl(client, command, options).catch(rethrow)
}

/** SigV4 counts whole seconds from a date that has none of less. */
function expiryOf(expiresS: number, nowMs: number): number {
  return (Math.floor(nowMs / 1000) + expiresS) * 1000
}

export function checkExpiry(expiresS: number, expiresSMax: number): void {
  if (!(expiresS > 0 && expiresS <= expiresSMax)) {
    throw new AppError('InvalidArgument', `A signed address lives between 1 and ${expiresSMax} seconds.`)
  }
}

export function rethrow(cause: unknown): never {
  throw awsError(cause, 'The object store')
}
