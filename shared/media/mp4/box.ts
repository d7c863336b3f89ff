/**
 * ISO base media file format (ISO/IEC 14496-12): a file is a tree of boxes, big-endian.
 *
 *   0          4        8
 *   +----------+--------+------------------------------+
 *   | size u32 | type   | body; in a "full box": first |
 *   | all of it| 4 char | version u8, flags u24        |
 *   +----------+--------+------------------------------+
 *
 * Boxes are lists of parts, joined once at the end: a sample table of some megabytes is not copied at
 * each level of the tree.
 */
export type Part = Uint8Array | readonly Part[]

export const u32Max = 2 ** 32 - 1

export function box(type: string, ...parts: Part[]): Uint8Array[] {
  const body = flatten(parts)
  const head = new Uint8Array(8)
  new DataView(head.buffer).setUint32(0, 8 + partsBytes(body))
  head.set(text(type), 4)
  return [head, ...body]
}

export function fullBox(type: string, version: number, flags: number, ...parts: Part[]): Uint8Array[] {
  return box(type, u32(version * 2 ** 24 + flags), ...parts)
}

export function u8(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}

export function u16(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 2))
  for (const [i, value] of values.entries()) view.setUint16(i * 2, value)
  return new Uint8Array(view.buffer)
}

/** Also for signed values: −1 is written as ffffffff. */
export function u32(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4))
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value)
  return new Uint8Array(view.buffer)
}

/** Non-negative and exact up to 2^53, or −1. */
export function u64(...values: number[]): Uint8Array {
  return u32(...values.flatMap((value) => [Math.floor(value / 2 ** 32), value >>> 0]))
}

/** A time of a versioned box: 32 bits in version 0, 64 in version 1. */
export function time(version: number, ...values: number[]): Uint8Array {
  return version === 1 ? u64(...values) : u32(...values)
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

export function partsBytes(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

export function flatten(parts: readonly Part[]): Uint8Array[] {
  return parts.flatMap((part) => (part instanceof Uint8Array ? [part] : flatten(part)))
}

export function join(...parts: Part[]): Uint8Array {
  return Buffer.concat(flatten(parts))
}
