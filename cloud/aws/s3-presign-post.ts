import { createHmac } from 'node:crypto'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { presignPutSMax } from '../../shared/limits.ts'
import { checkKey } from '../object-key.ts'
import type { UploadOptions } from '../ports.ts'
import { checkExpiry, rethrow } from './s3-presign.ts'

/**
 * A form that stores one file (S3 API reference, "Browser-Based Uploads Using POST (AWS Signature Version 4)"). Its
 * policy names each field with its one value, and the file's exact length; S3 refuses a field that it does not name.
 * A form has no If-None-Match: until it expires, whoever holds it may replace what it stored.
 */
export async function presignPost(client: S3Client, bucket: string, request: UploadOptions, nowMs: number) {
  const { key, sizeBytes, contentType, sha256, expiresS } = request
  checkExpiry(expiresS, presignPutSMax)
  const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials().catch(rethrow)
  const expiresAt = (Math.floor(nowMs / 1000) + expiresS) * 1000
  const at = `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
  const scope = [at.slice(0, 8), await client.config.region(), 's3', 'aws4_request']
  const named = {
    key: checkKey(key),
    'Content-Type': contentType,
    ...(sha256 !== undefined && { 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') }),
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': [accessKeyId, ...scope].join('/'),
    'x-amz-date': at,
    ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
  }
  const conditions = [
    { bucket },
    ...Object.entries(named).map(([name, value]) => ({ [name]: value })),
    ['content-length-range', sizeBytes, sizeBytes],
  ]
  const said = JSON.stringify({ expiration: new Date(expiresAt).toISOString(), conditions })
  const policy = Buffer.from(said).toString('base64')
  const signingKey = scope.reduce<Buffer>(
    (secret, part) => hmac(secret, part),
    Buffer.from(`AWS4${secretAccessKey}`),
  )
  const fields = { ...named, policy, 'x-amz-signature': hmac(signingKey, policy).toString('hex') }
  return { url: await formAddress(client, bucket, key), fields, expiresAt }
}

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** Of the bucket: where the SDK would look for an object, without its key. Partition, region and endpoint are its affair. */
async function formAddress(client: S3Client, bucket: string, key: string): Promise<string> {
  const signed = await getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: key })).catch(rethrow)
  const { origin, pathname } = new URL(signed)
  return `${origin}${pathname.slice(0, -key.length)}`
}
