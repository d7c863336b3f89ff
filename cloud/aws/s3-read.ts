import { GetObjectCommand } from '@aws-sdk/client-s3'
import { awsReadAgainMax } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import type { ByteRange } from '../ports.ts'
import { awsError } from './aws-error.ts'
import type { Place } from './s3-upload.ts'

/** `at`: of the first byte; `end`: exclusive, of the object as it was when it was opened. */
type Opened = { body: AsyncIterable<Uint8Array> & { destroy(): void }; at: number; end: number; etag: string }

/** Bytes of an object. A connection that breaks is opened again behind the last byte, of the same object only. */
export async function readObject(
  place: Place,
  range: ByteRange = { start: 0 },
): Promise<AsyncIterable<Uint8Array>> {
  if (range.start < 0 || (range.end !== undefined && range.end <= range.start)) {
    throw new AppError('InvalidArgument', `The object ${place.key} has no bytes in this range.`)
  }
  return readOn(place, await open(place, range))
}

async function* readOn(place: Place, first: Opened): AsyncGenerator<Uint8Array> {
  let opened = first
  let failures = 0
  for (let at = first.at; at < first.end; ) {
    try {
      for await (const chunk of opened.body) {
        at += chunk.length
        failures = 0
        yield chunk
      }
      if (at < first.end) throw new AppError('Unavailable', 'The body ended early.')
    } catch (cause) {
      const error = awsError(cause, 'The object store')
      failures += 1
      if (error.terminal || failures > awsReadAgainMax) throw error
      opened = await open(place, { start: at, end: first.end }, first.etag)
    }
  }
}

async function open(
  { client, bucket, key }: Place,
  { start, end }: ByteRange,
  etag?: string,
): Promise<Opened> {
  const isWhole = start === 0 && end === undefined
  const command = new GetObjectCommand({
    Bucket: bucket,
    Key: key,
    ...(!isWhole && { Range: `bytes=${start}-${end === undefined ? '' : end - 1}` }),
    ...(etag !== undefined && { IfMatch: etag }),
  })
  try {
    const { Body: body, ContentLength: sizeBytes = 0, ETag = '' } = await client.send(command)
    return { body: body as unknown as Opened['body'], at: start, end: start + sizeBytes, etag: ETag }
  } catch (cause) {
    const error = awsError(cause, 'The object store')
    if (error.kind === 'NotFound') throw new AppError('NotFound', `There is no object ${key}.`, { cause })
    if (error.kind === 'AlreadyExists')
      throw new AppError('Aborted', `${key} was replaced while it was read.`, { cause })
    throw error
  }
}
