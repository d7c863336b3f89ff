import { createHash } from 'node:crypto'
import { multipartBytes, multipartPartsMax } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import type { PutOptions } from '../ports.ts'

/** Bytes of each part of an object but the last. */
export function partBytes(sizeBytes: number): number {
  return Math.max(multipartBytes, Math.ceil(sizeBytes / multipartPartsMax))
}

/**
 * Copies a body into buffers of one part each (one, perhaps empty, for a short body): they can be sent again.
 * `InvalidArgument`, before the last part is given, when the body has not the size or digest that was said.
 */
export async function* partsOf(
  body: Uint8Array | AsyncIterable<Uint8Array>,
  { sizeBytes, sha256 }: PutOptions,
): AsyncGenerator<Buffer> {
  const hash = sha256 === undefined ? undefined : createHash('sha256')
  const size = partBytes(sizeBytes)
  let part = Buffer.allocUnsafe(Math.min(size, sizeBytes))
  let filled = 0
  let left = sizeBytes
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    if (chunk.length > left) throw wrong(`longer than the ${sizeBytes} bytes that were said`)
    hash?.update(chunk)
    left -= chunk.length
    for (let at = 0; at < chunk.length; ) {
      if (filled === part.length) {
        yield part
        part = Buffer.allocUnsafe(Math.min(size, left + chunk.length - at))
        filled = 0
      }
      const piece = chunk.subarray(at, at + part.length - filled)
      part.set(piece, filled)
      filled += piece.length
      at += piece.length
    }
  }
  if (left > 0) throw wrong(`${left} bytes shorter than was said`)
  if (hash && hash.digest('hex') !== sha256) throw wrong('of another digest than was said')
  yield part
}

const wrong = (how: string) => new AppError('InvalidArgument', `The body is ${how}.`)
