import { type VehicleRefusal, VehicleUnits } from '../../agent/ingest/vehicle-units.ts'
import type { Jt1078Packet } from '../../agent/protocol/jt1078.ts'
import { Jt1078Parser } from '../../agent/protocol/jt1078-parser.ts'
import { encodeJt1078, splitJt1078 } from '../../agent/protocol/jt1078-writer.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { hex } from './hex.ts'

export const sim = '013912345678'

// 352 × 288, baseline, of a capture.
export const sps = hex('674d001495a8582590')
export const pps = hex('68ee3c80')
export const annexB = (...nalUnits: Uint8Array[]): Uint8Array =>
  Buffer.concat(nalUnits.flatMap((nal) => [hex('00000001'), nal]))
/** A slice that says to be the first of its picture, or not. */
export const slice = (type: 1 | 5, bytes = 40, isFirst = true): Uint8Array => {
  const nal = new Uint8Array(bytes).fill(0x55)
  nal[0] = type === 5 ? 0x65 : 0x61
  nal[1] = isFirst ? 0xe0 : 0x40
  return nal
}
export const keyPicture = (bytes = 40): Uint8Array => annexB(sps, pps, slice(5, bytes))
export const picture = (bytes = 40): Uint8Array => annexB(slice(1, bytes))

type Frame = Partial<Omit<Jt1078Packet, 'body'>> & { body: Uint8Array }

/** Packets of one vehicle, numbered. */
export class VehicleLine {
  readonly about: { sim: string; version: 2016 | 2019; channel: number }
  sequence = 0
  bodyBytes = 950

  constructor(about: Partial<VehicleLine['about']> = {}) {
    this.about = { sim, version: 2016, channel: 1, ...about }
  }

  packets(frame: Frame): Jt1078Packet[] {
    const whole = {
      payloadType: 98,
      dataType: 1,
      timestampMs: 0,
      lastKeyMs: 0,
      lastMs: 0,
      ...this.about,
      ...frame,
    } as const
    const packets = splitJt1078(whole, this.sequence, this.bodyBytes)
    this.sequence = (this.sequence + packets.length) & 0xffff
    return packets
  }

  key(timestampMs: number | bigint, bytes = 40): Jt1078Packet[] {
    return this.packets({ dataType: 0, timestampMs, body: keyPicture(bytes) })
  }

  picture(timestampMs: number | bigint, bytes = 40): Jt1078Packet[] {
    return this.packets({ timestampMs, body: picture(bytes) })
  }

  sound(
    timestampMs: number | bigint,
    body: Uint8Array = new Uint8Array(160).fill(0xd5),
    payloadType = 6,
  ): Jt1078Packet[] {
    return this.packets({ dataType: 3, payloadType, timestampMs, body })
  }
}

export const bytesOf = (packets: readonly Jt1078Packet[]): Buffer => Buffer.concat(packets.map(encodeJt1078))

/** What a channel gives for packets, each at a time of its own. */
export function unitsRig(wallMs = 1_800_000_000_000) {
  const units: AccessUnit[] = []
  const gaps: SourceGap[] = []
  const refused: VehicleRefusal[] = []
  const told: { bytes: Uint8Array; payloadType: number }[] = []
  const held = { bytes: 0 }
  let epoch = -1
  let lost = 0
  const channel = new VehicleUnits({
    now: { monotonicMs: 0, wallMs },
    nextEpoch: () => {
      epoch += 1
      return epoch
    },
    sequence: { last: undefined },
    held,
    output: {
      unit: (unit) => units.push(unit),
      gap: (gap) => gaps.push(gap),
      refused: (reason) => refused.push(reason),
      data: (bytes, payloadType) => told.push({ bytes, payloadType }),
      lost: (packets) => {
        lost += packets
      },
    },
  })
  return {
    ...{ units, gaps, refused, told, held, channel },
    get lost() {
      return lost
    },
    feed: (packets: readonly Jt1078Packet[], arrivalMs: number) => {
      for (const packet of packets) channel.packet(packet, arrivalMs)
    },
  }
}

export function parseAll(bytes: Buffer): Jt1078Packet[] {
  const parser = new Jt1078Parser()
  return [...parser.push(bytes), ...parser.settle()]
}
