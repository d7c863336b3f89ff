/**
 * What a transport puts around each message. Both are the same for every viewer, so they go into the shared log.
 *
 * HTTP/1.1, chunked coding (RFC 9112, 7.1; its end tells a player that the stream ended from a line that was cut):
 *
 *   size in hex │ CR LF │ message │ CR LF
 *
 * WebSocket, one unmasked binary frame (RFC 6455, 5.2):
 *
 *   0x82 │ 0…125 │ message      0x82 │ 126 │ size u16 │ message      0x82 │ 127 │ size u64 │ message
 */
export type Framing = {
  headBytes(sizeBytes: number): number
  readonly tailBytes: number
  /** Writes head and tail around the room for the message, which begins at `headBytes(sizeBytes)`. */
  write(into: Buffer, sizeBytes: number): void
}

const chunked: Framing = {
  headBytes: (sizeBytes) => sizeBytes.toString(16).length + 2,
  tailBytes: 2,
  write: (into, sizeBytes) => {
    const head = into.write(`${sizeBytes.toString(16)}\r\n`, 'latin1')
    into.write('\r\n', head + sizeBytes, 'latin1')
  },
}

const webSocket: Framing = {
  headBytes: (sizeBytes) => {
    if (sizeBytes < 126) return 2
    return sizeBytes < 65_536 ? 4 : 10
  },
  tailBytes: 0,
  write: (into, sizeBytes) => {
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
  },
}

export const framings: Record<'http' | 'ws', Framing> = { http: chunked, ws: webSocket }

/** One message of its own. */
export function framed(framing: Framing, message: Uint8Array): Buffer {
  const head = framing.headBytes(message.length)
  const bytes = Buffer.allocUnsafeSlow(head + message.length + framing.tailBytes)
  framing.write(bytes, message.length)
  bytes.set(message, head)
  return bytes
}
