import { createHmac, timingSafeEqual } from 'node:crypto'

/*
 * The digest ("complex") handshake: not in the specification, but what Flash players and librtmp send, and some of
 * them insist on. C1 and S1, 1536 bytes, each hold a SHA-256 HMAC of all their other bytes:
 *
 *   time u32 │ version u32 (not 0) │ two blocks of 764 bytes: key and digest (schema 0), or digest and key (1)
 *   digest block: four bytes, whose sum modulo 728 is the place of the digest in the bytes behind them
 *
 * C2 and S2 end with an HMAC of their first 1504 bytes, keyed by the digest that they answer.
 */
export const handshakeBytes = 1536
export const digestBytes = 32
const room = 728
const blocks = [772, 8] as const // Where the digest block begins, by schema.

const secret = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex')

type Side = { shortKey: Buffer; key: Buffer }
function side(name: string): Side {
  return { shortKey: Buffer.from(name), key: Buffer.concat([Buffer.from(name), secret]) }
}
export const serverSide = side('Genuine Adobe Flash Media Server 001')
export const clientSide = side('Genuine Adobe Flash Player 001')

export type Digest = { schema: 0 | 1; bytes: Uint8Array }

function hmac(key: Uint8Array, ...parts: Uint8Array[]): Buffer {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

function placeOf(packet: Uint8Array, schema: 0 | 1): number {
  const start = blocks[schema]
  let sum = 0
  for (const byte of packet.subarray(start, start + 4)) sum += byte
  return start + 4 + (sum % room)
}

function digestAt(packet: Uint8Array, place: number, { shortKey }: Side): Buffer {
  return hmac(shortKey, packet.subarray(0, place), packet.subarray(place + digestBytes))
}

/** The digest of a C1 or S1; undefined when it holds none (the simple handshake, or random bytes). */
export function findDigest(packet: Uint8Array, from: Side): Digest | undefined {
  for (const schema of [0, 1] as const) {
    const place = placeOf(packet, schema)
    const found = packet.subarray(place, place + digestBytes)
    if (timingSafeEqual(found, digestAt(packet, place, from))) return { schema, bytes: found }
  }
  return undefined
}

/** Puts the digest into a C1 or S1. */
export function sign(packet: Uint8Array, schema: 0 | 1, by: Side): void {
  const place = placeOf(packet, schema)
  packet.set(digestAt(packet, place, by), place)
}

/** Makes 1536 random bytes the C2 or S2 that answers a digest. */
export function signAnswer(packet: Uint8Array, to: Digest, by: Side): void {
  const key = hmac(by.key, to.bytes)
  packet.set(hmac(key, packet.subarray(0, handshakeBytes - digestBytes)), handshakeBytes - digestBytes)
}
