import { loadFootage } from '../../agent/sim/footage.ts'

const tailBytes = 6
const keyTimes = 8 // A key frame of a phone's encoder is about as many times the size of the others.

/**
 * The built-in clip (a key frame each 25 pictures) with its pictures lengthened to a bit rate: slice headers and
 * parameter sets are real, what follows them is filled. No decoder would like it, but nothing on the way in decodes.
 */
export async function scaledClip(megabits: number, fps: number): Promise<Uint8Array[]> {
  const { pictures } = await loadFootage(undefined)
  const gop = pictures.findIndex(({ payload }, i) => i > 0 && isKey(payload))
  const other = (((megabits * 1e6) / 8 / fps) * gop) / (gop - 1 + keyTimes)
  return pictures.map(({ payload }) =>
    lengthened(payload, Math.round(isKey(payload) ? other * keyTimes : other)),
  )
}

const isKey = (payload: Uint8Array) => payload.length > 3000 // Of this clip: the others have less than 2 kB.

/** No zeros in what is added: never a start code. */
function lengthened(payload: Uint8Array, wantedBytes: number): Buffer {
  const picture = Buffer.alloc(Math.max(wantedBytes, payload.length + tailBytes))
  picture.set(payload)
  for (let i = payload.length; i < picture.length; i += 1) picture[i] = 1 + ((i * 31) % 127)
  return picture
}

/** Writes a number into the last bytes of a picture, where a viewer finds it again. */
export function mark(payload: Uint8Array, n: number): Uint8Array {
  for (let i = 1; i <= tailBytes; i += 1) payload[payload.length - i] = 0x80 | ((n / 128 ** (i - 1)) & 0x7f)
  return payload
}

/** Undefined for a picture that bears no number. */
export function readMark(picture: Uint8Array): number | undefined {
  let n = 0
  for (let i = tailBytes; i >= 1; i -= 1) {
    const byte = picture[picture.length - i] ?? 0
    if (byte < 0x80) return undefined
    n = n * 128 + (byte & 0x7f)
  }
  return n
}
