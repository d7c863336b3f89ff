import { AppError } from '../../shared/error.ts'

/**
 * One binary WebSocket message from a phone camera (PROTOCOLS.md 8). All integers are big-endian.
 *
 *   0            8          12          16
 *   +------------+----------+-----------+-------------------------+
 *   | device ms  | sequence | length    | one H.264 access unit   |
 *   | u64        | u32      | u32       | (Annex B, length bytes) |
 *   +------------+----------+-----------+-------------------------+
 */
export type PhonePacket = {
  deviceMs: number
  sequence: number
  payload: Uint8Array
}

const headerBytes = 16
const deviceMsMax = Number.MAX_SAFE_INTEGER // Past it milliseconds are lost: no real clock gets there.

/** The payload is a view of the message. Throws `InvalidArgument` for a message that is not such a packet. */
export function parsePhonePacket(message: Uint8Array): PhonePacket {
  if (message.length < headerBytes) {
    throw new AppError(
      'InvalidArgument',
      `phone packet: ${message.length} bytes, the header alone is ${headerBytes}`,
    )
  }
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  const deviceMs = Number(view.getBigUint64(0))
  const sequence = view.getUint32(8)
  const length = view.getUint32(12)

  if (deviceMs > deviceMsMax) {
    throw new AppError('InvalidArgument', `phone packet ${sequence}: device time ${deviceMs} is out of range`)
  }
  if (headerBytes + length !== message.length) {
    throw new AppError(
      'InvalidArgument',
      `phone packet ${sequence}: header says ${length} bytes, got ${message.length - headerBytes}`,
    )
  }
  if (length === 0) {
    throw new AppError('InvalidArgument', `phone packet ${sequence}: it holds no picture`)
  }
  return { deviceMs, sequence, payload: message.subarray(headerBytes) }
}

/** What a phone sends; the simulated phone and the tests use it. */
export function formatPhonePacket({ deviceMs, sequence, payload }: PhonePacket): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(headerBytes + payload.length)
  const view = new DataView(message.buffer)
  view.setBigUint64(0, BigInt(deviceMs))
  view.setUint32(8, sequence)
  view.setUint32(12, payload.length)
  message.set(payload, headerBytes)
  return message
}
