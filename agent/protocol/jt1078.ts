/**
 * One packet of JT/T 1078 (2016, table 19; 2019 with a SIM of 10 bytes). Big-endian, RTP-like, not RTP.
 *
 *   0          4      5          6          8            14|18      15|19          16|20       24|32 …
 *   +----------+------+----------+----------+------------+---------+--------------+-----------+------------+--------+------
 *   | 30316364 | V    | M 1      | sequence | SIM        | channel | data type 4  | timestamp | last key,  | length | body
 *   |          | PXCC | PT 7     | u16      | 6 or 10    | u8      | sub-packet 4 | ms u64    | last u16×2 | u16    |
 *   +----------+------+----------+----------+------------+---------+--------------+-----------+------------+--------+------
 *                                                                                 not type 4    types 0…2
 */
export type Jt1078Packet = {
  readonly version: 2016 | 2019
  /** Byte 4 as it came: 0x81 by the standard, 0x80 from some devices. */
  readonly flags: number
  /** As the device says: the end of a frame. Set on parameter sets alone, too. */
  readonly marker: boolean
  readonly payloadType: number
  /** Of the device's numbering, wraps at 65535. */
  readonly sequence: number
  /** The bytes as lower-case hex, 12 digits (2016) or 20 (2019): BCD in the standard, any hex in practice. */
  readonly sim: string
  readonly channel: number
  readonly dataType: DataType
  readonly subPacket: SubPacket
  /** Milliseconds of the device's clock, of any origin; absent in transparent data. A bigint only beyond 2⁵³. */
  readonly timestampMs?: number | bigint
  /** Milliseconds since the key frame and since the frame before; video only, and not to be believed. */
  readonly lastKeyMs?: number
  readonly lastMs?: number
  /** A view of memory that nobody writes to any more. */
  readonly body: Uint8Array
}

export const dataTypes = { key: 0, predicted: 1, bidirectional: 2, audio: 3, transparent: 4 } as const
export type DataType = (typeof dataTypes)[keyof typeof dataTypes]

export const subPackets = { whole: 0, first: 1, last: 2, middle: 3 } as const
export type SubPacket = (typeof subPackets)[keyof typeof subPackets]

/** JT/T 1078-2016, table 12: what is told apart here. */
export const payloadTypes = {
  g711a: 6,
  g711u: 7,
  g726: 8,
  aac: 19,
  heAac: 21,
  aacLc: 24,
  mp3: 25,
  adpcmA: 26,
  amr: 28,
  transparent: 91,
  h264: 98,
  h265: 99,
} as const

/** 14 hex digits, 22 of a 2019 SIM: as the seed and its clients name a channel. Lower case. */
export function deviceId({ sim, channel }: Pick<Jt1078Packet, 'sim' | 'channel'>): string {
  return sim + channel.toString(16).padStart(2, '0')
}
