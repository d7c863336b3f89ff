import {
  rtpMisorderMax,
  rtpReorderMs,
  rtpReorderPackets,
  rtpSequenceJumpMax,
} from '../../../shared/limits.ts'

export type RtpPacket = {
  payloadType: number
  marker: boolean
  /** 16 bits. */
  sequence: number
  /** 32 bits, in ticks of the media's clock. */
  timestamp: number
  ssrc: number
  /** A view. */
  payload: Uint8Array
}

const fixedHeaderBytes = 12

/**
 * One RTP packet (RFC 3550, section 5.1); undefined when it is none.
 *
 *   V 2 │ P 1 │ X 1 │ CC 4 │ M 1 │ PT 7 │ sequence u16 │ timestamp u32 │ SSRC u32 │ CC × u32
 *   X: profile u16 │ words u16 │ words × u32         P: the last byte counts the bytes of padding
 */
export function parseRtp(packet: Uint8Array): RtpPacket | undefined {
  if (packet.length < fixedHeaderBytes) return undefined
  const first = packet[0] ?? 0
  const second = packet[1] ?? 0
  if (first >> 6 !== 2) return undefined
  let start = fixedHeaderBytes + (first & 0x0f) * 4
  if ((first & 0x10) !== 0) {
    if (start + 4 > packet.length) return undefined
    start += 4 + u16(packet, start + 2) * 4
  }
  const padding = (first & 0x20) === 0 ? 0 : (packet.at(-1) ?? 0)
  const end = packet.length - padding
  if (start > end || ((first & 0x20) !== 0 && padding === 0)) return undefined
  return {
    payloadType: second & 0x7f,
    marker: second >> 7 === 1,
    sequence: u16(packet, 2),
    timestamp: u16(packet, 4) * 65_536 + u16(packet, 6),
    ssrc: u16(packet, 8) * 65_536 + u16(packet, 10),
    payload: packet.subarray(start, end),
  }
}

// Twenty thousand times a second with fifty cameras: a DataView for each packet is the half of what reading it costs.
function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

/** The twelve bytes before a payload; for the simulator and tests. */
export function rtpHeader({
  payloadType,
  marker,
  sequence,
  timestamp,
  ssrc,
}: Omit<RtpPacket, 'payload'>): Uint8Array {
  const header = Buffer.alloc(fixedHeaderBytes)
  header[0] = 0x80
  header[1] = (marker ? 0x80 : 0) | payloadType
  header.writeUInt16BE(sequence & 0xffff, 2)
  header.writeUInt32BE(timestamp >>> 0, 4)
  header.writeUInt32BE(ssrc >>> 0, 8)
  return header
}

/** A packet in its order. */
export type Received = {
  packet: RtpPacket
  /** How many packets are missing before it; one where another numbering began, since nobody knows. */
  lost: number
  /** Monotonic ms. */
  arrivalMs: number
}

export type SequenceFigures = { received: number; lost: number; late: number; restarts: number }

/**
 * Puts the packets of one track in their order (RFC 3550, appendix A.1): numbers wrap at 2¹⁶.
 *
 * Over TCP nothing overtakes, so a missing number is a loss at once. Over UDP (`reorders`) packets after a missing
 * one wait a little; what comes later than that is dropped, and counted.
 */
export class RtpSequencer {
  readonly figures: SequenceFigures = { received: 0, lost: 0, late: 0, restarts: 0 }
  readonly #reorders: boolean
  #ssrc: number | undefined
  #next = 0
  /** The newest number, wraps included: for receiver reports. */
  #highest = 0
  #waiting: { packet: RtpPacket; arrivalMs: number }[] = []
  #strays = 0

  constructor({ reorders }: { reorders: boolean }) {
    this.#reorders = reorders
  }

  get highest(): number {
    return this.#highest
  }

  get ssrc(): number | undefined {
    return this.#ssrc
  }

  push(packet: RtpPacket, arrivalMs: number): Received[] {
    this.figures.received += 1
    if (this.#ssrc !== packet.ssrc) return this.#restart(packet, arrivalMs)
    const ahead = signed16(packet.sequence - this.#next)
    if (ahead === 0) return [this.#give(packet, 0, arrivalMs), ...this.#consecutive()]
    const lateMax = this.#reorders ? rtpMisorderMax : 0
    if (ahead > rtpSequenceJumpMax || ahead < -lateMax) return this.#stray(packet, arrivalMs)
    if (ahead < 0) {
      this.figures.late += 1
      return []
    }
    if (!this.#reorders) return [this.#give(packet, ahead, arrivalMs)]
    this.#wait(packet, arrivalMs)
    return this.release(arrivalMs)
  }

  /** Packets that waited long enough for one that is missing; to be called as time goes by. */
  release(nowMs: number): Received[] {
    const oldest = Math.min(...this.#waiting.map(({ arrivalMs }) => arrivalMs))
    const [first] = this.#waiting
    const patient = this.#waiting.length < rtpReorderPackets && nowMs - oldest < rtpReorderMs
    if (!first || patient) return []
    this.#waiting.shift()
    const lost = signed16(first.packet.sequence - this.#next)
    return [this.#give(first.packet, lost, first.arrivalMs), ...this.#consecutive()]
  }

  #wait(packet: RtpPacket, arrivalMs: number): void {
    const ahead = ({ sequence }: RtpPacket) => signed16(sequence - this.#next)
    const at = this.#waiting.findIndex((other) => ahead(other.packet) >= ahead(packet))
    if (this.#waiting[at]?.packet.sequence === packet.sequence) this.figures.late += 1
    else this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { packet, arrivalMs })
  }

  #consecutive(): Received[] {
    const given: Received[] = []
    for (;;) {
      const [first] = this.#waiting
      if (first?.packet.sequence !== this.#next) return given
      this.#waiting.shift()
      given.push(this.#give(first.packet, 0, first.arrivalMs))
    }
  }

  /** Far off once is one damaged packet; twice in a row the numbering was begun anew. */
  #stray(packet: RtpPacket, arrivalMs: number): Received[] {
    this.#strays += 1
    if (this.#strays >= 2) return this.#restart(packet, arrivalMs)
    this.figures.late += 1
    return []
  }

  #restart(packet: RtpPacket, arrivalMs: number): Received[] {
    const restarted = this.#ssrc !== undefined
    if (restarted) this.figures.restarts += 1
    const given = this.#waited()
    const lost = restarted ? 1 : 0
    this.#ssrc = packet.ssrc
    this.#highest = packet.sequence - 1 - lost
    given.push(this.#give(packet, lost, arrivalMs))
    return given
  }

  /** All that waited for packets which will not come any more. */
  #waited(): Received[] {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting.map(({ packet, arrivalMs }) =>
      this.#give(packet, signed16(packet.sequence - this.#next), arrivalMs),
    )
  }

  #give(packet: RtpPacket, lost: number, arrivalMs: number): Received {
    this.#strays = 0
    this.figures.lost += lost
    this.#highest += lost + 1
    this.#next = (packet.sequence + 1) & 0xffff
    return { packet, lost, arrivalMs }
  }
}

/** −32768 … 32767. */
function signed16(difference: number): number {
  return (difference << 16) >> 16
}
