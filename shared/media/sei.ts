const recoveryPoint = 6 // payloadType (H.264 D.1.1)
const emulated = Uint8Array.of(0, 0, 3)

/** The bytes without emulation prevention: the same view when there is none. */
function unescaped(nal: Uint8Array): Uint8Array {
  const buffer = Buffer.from(nal.buffer, nal.byteOffset, nal.length)
  let found = buffer.indexOf(emulated)
  if (found < 0) return nal
  const parts: Uint8Array[] = []
  let start = 0
  while (found >= 0) {
    parts.push(nal.subarray(start, found + 2))
    start = found + 3
    found = buffer.indexOf(emulated, start)
  }
  parts.push(nal.subarray(start))
  return Buffer.concat(parts)
}

/**
 * Whether an SEI NAL unit of H.264 (7.3.2.3) holds a recovery point message: decoding can start at its picture.
 *
 *   header | [payloadType: 255… + last | payloadSize: 255… + last | payload]… | 80
 */
export function hasRecoveryPoint(nal: Uint8Array): boolean {
  const bytes = unescaped(nal)
  let position = 1
  const number = (): number => {
    let value = 0
    while (bytes[position] === 0xff) {
      value += 0xff
      position += 1
    }
    value += bytes[position] ?? 0
    position += 1
    return value
  }
  while (position + 2 < bytes.length) {
    const type = number()
    const size = number()
    if (type === recoveryPoint) return true
    position += size
  }
  return false
}
