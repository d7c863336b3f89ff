const two32 = 2 ** 32

/** Little-endian 64-bit integers as numbers: exact up to 2^53, without a BigInt for each. */
export function writeI64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / two32)
  view.setUint32(at, value - high * two32, true)
  view.setInt32(at + 4, high, true)
}

export function readI64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * two32 + view.getUint32(at, true)
}

export function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * two32 + view.getUint32(at, true)
}
