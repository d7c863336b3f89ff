import { payloadTypes } from '../protocol/jt1078.ts'

const rate = 8000
const toneHz = 440
const amplitude = 8000

/** ITU-T G.711, A-law, of 16 bits: sign │ segment 3 │ place in it 4, every other bit turned. */
export function encodeALaw(sample: number): number {
  const magnitude = (sample < 0 ? -sample - 1 : sample) >> 3
  const mask = sample < 0 ? 0x55 : 0xd5
  const segment = Math.min(7, Math.max(0, 27 - Math.clz32(magnitude))) // 32 … 63 is segment 1.
  return ((segment << 4) | ((magnitude >> Math.max(1, segment)) & 15)) ^ mask
}

/** μ-law: the same over a bias, all bits turned. */
export function encodeMuLaw(sample: number): number {
  const magnitude = Math.min(Math.abs(sample >> 2), 8158) + 33
  const segment = Math.min(7, Math.max(0, 26 - Math.clz32(magnitude))) // 64 … 127 is segment 1.
  return ((sample < 0 ? 0 : 0x80) | (~((segment << 4) | ((magnitude >> (segment + 1)) & 15)) & 0x7f)) & 0xff
}

/** A tone, as sound of a vehicle from `atMs` on. */
export function tone(payloadType: number, atMs: number, lengthMs: number): Uint8Array {
  const encode = payloadType === payloadTypes.g711u ? encodeMuLaw : encodeALaw
  const first = (atMs * rate) / 1000
  return Uint8Array.from({ length: (lengthMs * rate) / 1000 }, (_, i) =>
    encode(Math.round(amplitude * Math.sin((2 * Math.PI * toneHz * (first + i)) / rate))),
  )
}
