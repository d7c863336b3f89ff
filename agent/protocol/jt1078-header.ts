import {
  type DataType,
  dataTypes,
  type Jt1078Packet,
  payloadTypes,
  type SubPacket,
  subPackets,
} from './jt1078.ts'

export type Jt1078Version = Jt1078Packet['version']

export const jt1078Magic: Uint8Array = Uint8Array.of(0x30, 0x31, 0x63, 0x64)

const simBytes = { 2016: 6, 2019: 10 } as const
const simAt = 8
const uptoType = 10 // Magic to data type, without the SIM.

/** Bytes of timestamp and intervals, by data type. */
function timesBytes(dataType: number): number {
  if (dataType === dataTypes.transparent) return 0
  return dataType === dataTypes.audio ? 8 : 12
}

export function jt1078HeaderBytes(version: Jt1078Version, dataType: DataType): number {
  return uptoType + simBytes[version] + timesBytes(dataType) + 2
}

/** Bytes of the packet at `at`, read as this version: `short` when its length is not there yet, `invalid` when it is none. */
export function measureJt1078(
  bytes: Buffer,
  at: number,
  version: Jt1078Version,
): number | 'short' | 'invalid' {
  const typeAt = at + uptoType + simBytes[version] - 1
  const type = bytes[typeAt]
  if (type === undefined) return 'short'
  if (type >> 4 > dataTypes.transparent || (type & 15) > subPackets.middle) return 'invalid'
  const bodyAt = typeAt + 1 + timesBytes(type >> 4) + 2
  if (bodyAt > bytes.length) return 'short'
  return bodyAt - at + bytes.readUInt16BE(bodyAt - 2)
}

/** The packet at `at`, which is all there (`measureJt1078`). Its body is a view. */
export function readJt1078(bytes: Buffer, at: number, version: Jt1078Version): Jt1078Packet {
  const channelAt = at + simAt + simBytes[version]
  const type = bytes[channelAt + 1] ?? 0
  const dataType = (type >> 4) as DataType
  const timesAt = channelAt + 2
  const bodyAt = timesAt + timesBytes(dataType) + 2
  const markerAndType = bytes[at + 5] ?? 0
  const length = bytes.readUInt16BE(bodyAt - 2)
  return {
    version,
    flags: bytes[at + 4] ?? 0,
    marker: markerAndType >= 0x80,
    payloadType: markerAndType & 0x7f,
    sequence: bytes.readUInt16BE(at + 6),
    sim: bytes.toString('hex', at + simAt, channelAt),
    channel: bytes[channelAt] ?? 0,
    dataType,
    subPacket: (type & 15) as SubPacket,
    ...readTimes(bytes, timesAt, dataType),
    body: new Uint8Array(bytes.buffer, bytes.byteOffset + bodyAt, length),
  }
}

type Times = Pick<Jt1078Packet, 'timestampMs' | 'lastKeyMs' | 'lastMs'>

function readTimes(bytes: Buffer, at: number, dataType: DataType): Times {
  if (dataType === dataTypes.transparent) return {}
  const value = bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
  const timestampMs = Number.isSafeInteger(value) ? value : bytes.readBigUInt64BE(at)
  if (dataType === dataTypes.audio) return { timestampMs }
  return { timestampMs, lastKeyMs: bytes.readUInt16BE(at + 8), lastMs: bytes.readUInt16BE(at + 10) }
}

/** Whether what the packet says it holds goes with how it says it is coded: tells two readings of the same bytes apart. */
export function isLikely(bytes: Buffer, at: number, version: Jt1078Version): boolean {
  const payloadType = (bytes[at + 5] ?? 0) & 0x7f
  const dataType = (bytes[at + uptoType + simBytes[version] - 1] ?? 0) >> 4
  if (dataType === dataTypes.transparent) return payloadType >= payloadTypes.transparent && payloadType < 98
  return dataType === dataTypes.audio ? payloadType < 98 : payloadType >= payloadTypes.h264
}
