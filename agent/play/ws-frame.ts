/**
 * The head of a WebSocket message from a server: one unmasked binary frame (RFC 6455, 5.2).
 *
 *   0x82 │ 0…125                    0x82 │ 126 │ length u16                    0x82 │ 127 │ length u64
 */
export function wsHeadBytes(sizeBytes: number): number {
  if (sizeBytes < 126) return 2
  return sizeBytes < 65_536 ? 4 : 10
}

export function writeWsHead(into: Buffer, sizeBytes: number): void {
  into[0] = 0x82
  if (sizeBytes < 126) {
    into[1] = sizeBytes
  } else if (sizeBytes < 65_536) {
    into[1] = 126
    into.writeUInt16BE(sizeBytes, 2)
  } else {
    into[1] = 127
    into.writeBigUInt64BE(BigInt(sizeBytes), 2)
  }
}
