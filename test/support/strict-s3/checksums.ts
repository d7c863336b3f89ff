import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { Refusal } from './refusal.ts'

const crcBase64 = (bytes: Uint8Array) => {
  const value = Buffer.alloc(4)
  value.writeUInt32BE(crc32(bytes))
  return value.toString('base64')
}

const sums: Record<string, (bytes: Uint8Array) => string> = {
  'content-md5': (bytes) => createHash('md5').update(bytes).digest('base64'),
  'x-amz-checksum-sha1': (bytes) => createHash('sha1').update(bytes).digest('base64'),
  'x-amz-checksum-sha256': (bytes) => createHash('sha256').update(bytes).digest('base64'),
  'x-amz-checksum-crc32': crcBase64,
}

/** Compares each checksum that came along. Returns those that S3 would keep with the object. */
export function checkSums(headers: Map<string, string>, body: Uint8Array): Record<string, string> {
  const kept: Record<string, string> = {}
  const given = [...headers.keys()].filter((name) => /^x-amz-checksum-(?!type|mode|algorithm)/.test(name))
  if (given.length > 1) throw new Refusal(400, 'InvalidRequest', 'Expecting a single x-amz-checksum- header')
  for (const name of [...given, 'content-md5']) {
    const value = headers.get(name)
    if (value === undefined) continue
    const sum = sums[name]
    if (!sum) throw new Refusal(501, 'NotImplemented', `${name} is not known here`)
    if (Buffer.from(value, 'base64').toString('base64') !== value || value.length !== sum(body).length)
      throw new Refusal(400, 'InvalidRequest', `Value for ${name} header is invalid.`)
    if (value !== sum(body))
      throw new Refusal(400, 'BadDigest', `The ${name} you specified did not match what we received.`)
    if (name !== 'content-md5') kept[name] = value
  }
  return kept
}
