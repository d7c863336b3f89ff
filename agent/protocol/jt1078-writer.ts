import { AppError } from '../../shared/error.ts'
import { dataTypes, type Jt1078Packet, subPackets } from './jt1078.ts'
import { jt1078HeaderBytes, jt1078Magic } from './jt1078-header.ts'

/** Layout: see `Jt1078Packet`. `InvalidArgument` for a SIM that is not one of its version, or a body above 65535 bytes. */
export function encodeJt1078(packet: Jt1078Packet): Buffer {
  const { version, sim, dataType, body } = packet
  const headerBytes = jt1078HeaderBytes(version, dataType)
  const digits = version === 2016 ? 12 : 20
  if (sim.length !== digits || !/^[0-9a-f]*$/i.test(sim)) {
    throw new AppError('InvalidArgument', `JT/T 1078-${version}: a SIM has ${digits} hex digits`)
  }
  if (body.length > 0xffff) {
    throw new AppError('InvalidArgument', `JT/T 1078: a body of ${body.length} bytes, at most 65535 fit`)
  }
  const bytes = Buffer.alloc(headerBytes + body.length)
  bytes.set(jt1078Magic)
  bytes[4] = packet.flags
  bytes[5] = (packet.marker ? 0x80 : 0) | packet.payloadType
  bytes.writeUInt16BE(packet.sequence, 6)
  bytes.write(sim, 8, 'hex')
  const channelAt = 8 + digits / 2
  bytes[channelAt] = packet.channel
  bytes[channelAt + 1] = (dataType << 4) | packet.subPacket
  if (dataType !== dataTypes.transparent)
    bytes.writeBigUInt64BE(BigInt(packet.timestampMs ?? 0), channelAt + 2)
  if (dataType < dataTypes.audio) {
    bytes.writeUInt16BE(packet.lastKeyMs ?? 0, channelAt + 10)
    bytes.writeUInt16BE(packet.lastMs ?? 0, channelAt + 12)
  }
  bytes.writeUInt16BE(body.length, headerBytes - 2)
  bytes.set(body, headerBytes)
  return bytes
}

export const bodyBytesStandard = 950 // JT/T 1078-2016, 5.5.3.

type Frame = Omit<Jt1078Packet, 'sequence' | 'subPacket' | 'marker' | 'flags'>

/** A frame as its packets, numbered from `sequence` on, each of at most `bodyBytes`. */
export function splitJt1078(frame: Frame, sequence: number, bodyBytes = bodyBytesStandard): Jt1078Packet[] {
  const count = Math.max(1, Math.ceil(frame.body.length / bodyBytes))
  return Array.from({ length: count }, (_, part) => ({
    ...frame,
    flags: 0x81,
    sequence: (sequence + part) & 0xffff,
    marker: part === count - 1,
    subPacket: subPacketOf(part, count),
    body: frame.body.subarray(part * bodyBytes, (part + 1) * bodyBytes),
  }))
}

function subPacketOf(part: number, count: number): Jt1078Packet['subPacket'] {
  if (count === 1) return subPackets.whole
  if (part === 0) return subPackets.first
  return part === count - 1 ? subPackets.last : subPackets.middle
}
