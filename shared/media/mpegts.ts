import { AppError } from '../error.ts'
import { tsUndescribedPacketsMax } from '../limits.ts'
import { TsPackets } from './mpegts-packet.ts'
import { type PesPacket, PesStream } from './mpegts-pes.ts'
import { parsePat, parsePmt, TsSections, type TsStreamKind } from './mpegts-section.ts'

/**
 * Payload of one PES packet: for video Annex B, for sound ADTS, which need not begin or end with a frame. Stamps
 * are unwrapped 90 kHz: they go on beyond 2³³.
 */
export type TsPayload = { kind: TsStreamKind } & PesPacket

const patPid = 0
const wrapSpan = 2 ** 33

type Programme = { pid: number; sections: TsSections }
type Elementary = { kind: TsStreamKind; pes: PesStream; wrap: Unwrapper }

/**
 * MPEG transport stream of one programme (ISO/IEC 13818-1) → payloads of its first video and its first sound, of
 * H.264, H.265 and AAC. Any split gives the same. Of several programmes the first that has one of these.
 */
export class MpegTsParser {
  readonly #packets = new TsPackets()
  readonly #pat = new TsSections()
  #programmes: Programme[] = []
  readonly #streams = new Map<number, Elementary>()
  #chosen: number | undefined
  #lost = 0
  #undescribed = 0

  /** PES packets that could not be read, of which no unit came out. */
  get lost(): number {
    return [...this.#streams.values()].reduce((sum, { pes }) => sum + pes.lost, this.#lost)
  }

  /** InvalidArgument when the bytes are no MPEG-TS; FailedPrecondition when nothing in it can be carried. */
  push(bytes: Uint8Array): TsPayload[] {
    const payloads: TsPayload[] = []
    for (const { pid, payload, start, unusable, continuity, discontinuity } of this.#packets.push(bytes)) {
      this.#countUndescribed()
      if (unusable || !payload) continue
      const stream = this.#streams.get(pid)
      if (stream) {
        for (const packet of stream.pes.push(payload, start, continuity, discontinuity)) {
          payloads.push(unwrapped(stream, packet))
        }
      } else if (pid === patPid) for (const section of this.#pat.push(payload, start)) this.#readPat(section)
      else this.#readPmt(pid, payload, start)
    }
    return payloads
  }

  /** Nothing more comes. */
  end(): TsPayload[] {
    return [...this.#streams.values()].flatMap((stream) =>
      stream.pes.end().map((packet) => unwrapped(stream, packet)),
    )
  }

  #countUndescribed(): void {
    if (this.#streams.size > 0) return
    this.#undescribed += 1
    if (this.#undescribed <= tsUndescribedPacketsMax) return
    throw new AppError('FailedPrecondition', 'MPEG-TS: it holds no H.264, H.265 or AAC that is described')
  }

  #readPat(section: Uint8Array): void {
    const pids = parsePat(section)
    const known = this.#programmes.map(({ pid }) => pid)
    if (pids.length === 0 || pids.join() === known.join()) return
    this.#programmes = pids.map((pid) => ({ pid, sections: new TsSections() }))
    this.#chosen = undefined
  }

  #readPmt(pid: number, payload: Uint8Array, start: boolean): void {
    const programme = this.#programmes.find((candidate) => candidate.pid === pid)
    if (!programme || (this.#chosen !== undefined && this.#chosen !== pid)) return
    for (const section of programme.sections.push(payload, start)) {
      const found = parsePmt(section)
      if (found.length === 0) continue
      this.#chosen = pid
      this.#follow(found)
    }
  }

  /** A new description: streams that stay go on with what they have. */
  #follow(found: { pid: number; kind: TsStreamKind }[]): void {
    for (const [pid, { kind, pes }] of this.#streams) {
      if (found.some((stream) => stream.pid === pid && stream.kind === kind)) continue
      this.#lost += pes.lost
      this.#streams.delete(pid)
    }
    for (const { pid, kind } of found) {
      if (this.#streams.has(pid)) continue
      this.#streams.set(pid, { kind, pes: new PesStream(), wrap: new Unwrapper() })
    }
  }
}

function unwrapped({ kind, wrap }: Elementary, packet: PesPacket): TsPayload {
  const dts = packet.dts === undefined ? undefined : wrap.next(packet.dts)
  // The picture is shown within half a span of its decoding.
  const pts = dts === undefined || packet.pts === undefined ? dts : near(packet.pts, dts)
  return { kind, ...packet, dts, pts }
}

/** 33 bits at 90 kHz: 26.5 h. */
class Unwrapper {
  #last: number | undefined

  next(stamp: number): number {
    this.#last = near(stamp, this.#last ?? stamp + wrapSpan) // Never below 0, also where the first ones step back.
    return this.#last
  }
}

function near(stamp: number, reference: number): number {
  return stamp + Math.round((reference - stamp) / wrapSpan) * wrapSpan
}
