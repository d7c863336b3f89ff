import { AppError } from '../../shared/error.ts'
import { innerBodyBytesMax } from '../../shared/vehicle-limits.ts'
import { dataTypes, type Jt1078Packet, subPackets } from './jt1078.ts'

/**
 * One packet of the vehicle server's inner protocol (seed 003; PROTOCOLS.md, 9): structs of a little-endian machine.
 *
 *   0             4             8            12                16
 *   +-------------+-------------+------------+-----------------+----------------------------------------+
 *   | head length | body length | sequence   | type:8 … who:4  | body                                   |
 *   | u32 (16)    | u32         | u32        | bits 16-19: who | 2, 3: 14 characters; 4: see below      |
 *   +-------------+-------------+------------+-----------------+----------------------------------------+
 *
 *   body of 4:
 *   0           8        12                13        14        16       22        23                24       32 …  38
 *   +-----------+--------+-----------------+---------+---------+--------+---------+-----------------+--------+--+--+--+------+
 *   | device id | mark   | V:2 P X CC:4    | M PT:7  | u16     | SIM    | channel | dataType:4      | ms u64 |u16×3    | body |
 *   | u64       | u32    | low bits first  | M low   | sequence| 6 bytes| u8      | low, part:4 high|        |key,last,|      |
 *   +-----------+--------+-----------------+---------+---------+--------+---------+-----------------+--------+length---+------+
 */
export type InnerMessage =
  | { kind: 'heartbeat'; who: InnerParty | undefined }
  /** `device`: what stands there; whether it is a channel of a vehicle is not judged here. */
  | { kind: 'subscribe' | 'unsubscribe'; who: InnerParty | undefined; device: string }
  | { kind: 'data'; who: InnerParty | undefined; device: string; packet: Jt1078Packet }
  /** Of a type that is not known: passed over. */
  | { kind: 'other'; type: number }

const parties = { jt1078Server: 1, webServer: 2, pcServer: 3, pcClient: 4, phone: 5 } as const
export type InnerParty = keyof typeof parties

const types = { heartbeat: 1, subscribe: 2, unsubscribe: 3, data: 4 } as const

const headBytes = 16
const dataHeadBytes = 38
const mark = 0x30316364
const deviceChars = 14

/** Bytes of one connection, cut anywhere → messages. Never keeps more than one packet of the length that is allowed. */
export class InnerReader {
  readonly #bodyBytesMax: number
  #rest: Buffer = Buffer.alloc(0)

  constructor({ bodyBytesMax = innerBodyBytesMax } = {}) {
    this.#bodyBytesMax = bodyBytesMax
  }

  get bufferedBytes(): number {
    return this.#rest.length
  }

  /** InvalidArgument for what cannot be this protocol: there is no mark to look for, the connection is to be closed. */
  push(piece: Buffer): InnerMessage[] {
    let bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    const messages: InnerMessage[] = []
    for (;;) {
      const size = this.#sizeOf(bytes)
      if (size === undefined || bytes.length < size) break
      messages.push(read(bytes.subarray(0, size)))
      bytes = bytes.subarray(size)
    }
    this.#rest = bytes.length === 0 ? bytes : Buffer.from(bytes) // A copy: a small rest must not keep a large piece.
    return messages
  }

  #sizeOf(bytes: Buffer): number | undefined {
    if (bytes.length >= 4 && bytes.readUInt32LE(0) !== headBytes) {
      throw new AppError(
        'InvalidArgument',
        `inner packet: a head of ${bytes.readUInt32LE(0)} bytes, it has 16`,
      )
    }
    if (bytes.length < 8) return undefined
    const length = bytes.readUInt32LE(4)
    if (length > this.#bodyBytesMax) {
      throw new AppError(
        'InvalidArgument',
        `inner packet: ${length} bytes, allowed are ${this.#bodyBytesMax}`,
      )
    }
    return headBytes + length
  }
}

function read(bytes: Buffer): InnerMessage {
  const type = bytes.readUInt32LE(12)
  const who = partyOf((type >>> 16) & 15)
  const body = bytes.subarray(headBytes)
  if ((type & 255) === types.heartbeat) return { kind: 'heartbeat', who }
  if ((type & 255) === types.subscribe) return { kind: 'subscribe', who, device: deviceOf(body) }
  if ((type & 255) === types.unsubscribe) return { kind: 'unsubscribe', who, device: deviceOf(body) }
  if ((type & 255) === types.data) return { kind: 'data', who, ...readData(body) }
  return { kind: 'other', type }
}

function partyOf(number: number): InnerParty | undefined {
  const found = Object.entries(parties).find(([, value]) => value === number)
  return found?.[0] as InnerParty | undefined
}

/** C programs send what stands behind the end of a string, too. */
function deviceOf(body: Buffer): string {
  const end = body.indexOf(0)
  return body.toString('latin1', 0, end < 0 ? body.length : end)
}

function readData(body: Buffer): { device: string; packet: Jt1078Packet } {
  const length = body.length < dataHeadBytes ? -1 : body.readUInt16LE(36)
  if (length !== body.length - dataHeadBytes || body.readUInt32LE(8) !== mark) {
    throw new AppError('InvalidArgument', `inner packet: ${body.length} bytes are no packet of JT/T 1078`)
  }
  const [flags = 0, typeBits = 0, kinds = 0] = [body[12], body[13], body[23]]
  const value = body.readBigUInt64LE(24)
  const timestampMs = value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
  const dataType = (kinds & 15) as Jt1078Packet['dataType']
  return {
    device: body.readBigUInt64LE(0).toString(16).padStart(deviceChars, '0'),
    packet: {
      version: 2016,
      flags: ((flags & 3) << 6) | ((flags & 4) << 3) | ((flags & 8) << 1) | (flags >> 4),
      marker: (typeBits & 1) === 1,
      payloadType: typeBits >> 1,
      sequence: body.readUInt16LE(14),
      sim: body.toString('hex', 16, 22),
      channel: body[22] ?? 0,
      dataType,
      subPacket: (kinds >> 4) as Jt1078Packet['subPacket'],
      ...(dataType === dataTypes.transparent ? {} : { timestampMs }),
      ...(dataType < dataTypes.audio
        ? { lastKeyMs: body.readUInt16LE(32), lastMs: body.readUInt16LE(34) }
        : {}),
      body: body.subarray(dataHeadBytes),
    },
  }
}

function head(kind: keyof typeof types, who: InnerParty, bodyBytes: number, sequence: number): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes)
  bytes.writeUInt32LE(headBytes, 0)
  bytes.writeUInt32LE(bodyBytes, 4)
  bytes.writeUInt32LE(sequence >>> 0, 8)
  bytes.writeUInt32LE(types[kind] | (parties[who] << 16), 12)
  return bytes
}

export function writeHeartbeat(who: InnerParty, sequence: number): Buffer {
  return head('heartbeat', who, 0, sequence)
}

export function writeSubscription(
  kind: 'subscribe' | 'unsubscribe',
  { who, device, sequence }: { who: InnerParty; device: string; sequence: number },
): Buffer {
  const body = Buffer.from(device, 'latin1')
  return Buffer.concat([head(kind, who, body.length, sequence), body])
}

/** The head of a packet, whose sequence is the connection's own; the rest is the same for all who are given it. */
export function writeDataHead(bodyBytes: number, sequence: number): Buffer {
  return head('data', 'jt1078Server', bodyBytes, sequence)
}

/**
 * The body of a data packet. Undefined for a vehicle whose SIM has more digits than this protocol (2019, unless those
 * in front are zeros).
 */
export function writeData(packet: Jt1078Packet): Buffer | undefined {
  const sim = packet.sim.slice(-12)
  if (/[^0]/.test(packet.sim.slice(0, -12))) return undefined
  const { flags, timestampMs = 0, body } = packet
  const bytes = Buffer.allocUnsafe(dataHeadBytes + body.length)
  bytes.writeBigUInt64LE(BigInt(`0x${sim}${packet.channel.toString(16).padStart(2, '0')}`), 0)
  bytes.writeUInt32LE(mark, 8)
  bytes[12] = (flags >> 6) | ((flags & 0x20) >> 3) | ((flags & 0x10) >> 1) | ((flags & 15) << 4)
  bytes[13] = (packet.marker ? 1 : 0) | (packet.payloadType << 1)
  bytes.writeUInt16LE(packet.sequence, 14)
  bytes.write(sim, 16, 'hex')
  bytes[22] = packet.channel
  bytes[23] = packet.dataType | (packet.subPacket << 4)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(timestampMs)), 24)
  bytes.writeUInt16LE(packet.lastKeyMs ?? 0, 32)
  bytes.writeUInt16LE(packet.lastMs ?? 0, 34)
  bytes.writeUInt16LE(body.length, 36)
  bytes.set(body, dataHeadBytes)
  return bytes
}

/** Whether a decoder that was given nothing before can start with this packet. */
export function beginsKeyFrame({ dataType, subPacket }: Jt1078Packet): boolean {
  return dataType === dataTypes.key && (subPacket === subPackets.whole || subPacket === subPackets.first)
}
