import { nalUnitsPerUnitMax, rtpPictureBytesMax } from '../../../shared/limits.ts'
import { claimsFirstSlice } from '../../../shared/media/h264-slice.ts'
import { isVcl, type NalCodec, nalType, splitAnnexB } from '../../../shared/media/nal.ts'
import type { Depacketizer, RtpUnit } from './depacketizer.ts'
import { NalSlab } from './nal-slab.ts'
import type { Received } from './rtp.ts'

/** A payload taken apart: whole NAL units, or a piece of one with the header that the whole one has. */
type Payload =
  | { kind: 'whole'; nalUnits: Uint8Array[] }
  | { kind: 'fragment'; header: Uint8Array; piece: Uint8Array; start: boolean; end: boolean }
  | { kind: 'none' }
  | { kind: 'bad' }

type Draft = {
  timestamp: number
  nalUnits: Uint8Array[]
  bytes: number
  damaged: boolean
  lost: number
  arrivalMs: number
}

/**
 * RTP packets → pictures: H.264 (RFC 6184: single NAL units, STAP-A, FU-A) and H.265 (RFC 7798: single, AP, FU).
 *
 * A picture ends with the marker, or with the first packet of another time. Cameras that set the marker at every
 * slice are noticed by the slice that follows at the same time: from then on only the time counts. A fragment
 * whose beginning or end is lost is left out, and its picture is damaged.
 */
export class VideoDepacketizer implements Depacketizer {
  refused = 0
  readonly #codec: NalCodec
  readonly #open: (payload: Uint8Array) => Payload
  #draft: Draft | undefined
  readonly #slab = new NalSlab()
  /** A NAL unit is being put together. */
  #gathers = false
  /** Packets that were lost before the next unit, whose own loss is not counted yet. */
  #lost = 0
  #doubtful = false
  #lastTimestamp: number | undefined
  #markerLies = false

  constructor(codec: NalCodec) {
    this.#codec = codec
    this.#open = codec === 'h264' ? openH264 : openH265
  }

  push({ packet, lost, arrivalMs }: Received): RtpUnit[] {
    const units: RtpUnit[] = []
    if (lost > 0) this.#loss(lost, packet.timestamp)
    if (this.#draft && this.#draft.timestamp !== packet.timestamp) this.#finish(units)
    const payload = this.#open(packet.payload)
    if (payload.kind === 'bad') this.#refuse()
    else if (payload.kind !== 'none') this.#take(payload, packet.timestamp, arrivalMs)
    if (packet.marker && !this.#markerLies) this.#finish(units)
    return units
  }

  end(): RtpUnit[] {
    const units: RtpUnit[] = []
    this.#finish(units)
    return units
  }

  /** What is missing is of the picture under way if it goes on behind it, or did not end before it. */
  #loss(lost: number, timestamp: number): void {
    this.#gathers = false
    if (this.#draft) {
      this.#draft.damaged = true
      this.#draft.lost += lost
    } else this.#lost += lost
    this.#doubtful = this.#draft?.timestamp !== timestamp
  }

  /** What cannot be read is as good as lost. */
  #refuse(): void {
    this.refused += 1
    this.#gathers = false
    if (this.#draft) this.#draft.damaged = true
    else {
      this.#lost += 1
      this.#doubtful = true
    }
  }

  #take(payload: Payload, timestamp: number, arrivalMs: number): void {
    const draft = this.#begin(timestamp)
    draft.arrivalMs = arrivalMs
    if (payload.kind === 'whole') {
      if (this.#gathers) draft.damaged = true
      this.#gathers = false
      for (const nal of payload.nalUnits) this.#add(draft, this.#slab.copied(nal))
    } else if (payload.kind === 'fragment') this.#gather(draft, payload)
  }

  #begin(timestamp: number): Draft {
    this.#draft ??= {
      ...{ timestamp, nalUnits: [], bytes: 0 },
      ...{ damaged: false, lost: this.#lost, arrivalMs: 0 },
    }
    this.#lost = 0
    return this.#draft
  }

  #gather(draft: Draft, { header, piece, start, end }: Extract<Payload, { kind: 'fragment' }>): void {
    if (start) {
      if (this.#gathers) draft.damaged = true
      this.#gathers = true
      this.#slab.begin()
      this.#slab.append(header)
    }
    if (!this.#gathers) {
      draft.damaged = true
      return
    }
    this.#slab.append(piece)
    if (this.#slab.length > rtpPictureBytesMax) this.#refuse()
    else if (end) {
      this.#gathers = false
      this.#add(draft, this.#slab.take())
    }
  }

  #add(draft: Draft, nal: Uint8Array): void {
    if (nal.length === 0) return
    const full = draft.nalUnits.length >= nalUnitsPerUnitMax || draft.bytes + nal.length > rtpPictureBytesMax
    if (full) {
      this.#refuse()
      return
    }
    if (isVcl(this.#codec, nalType(this.#codec, nal))) this.#judge(draft, nal)
    draft.nalUnits.push(nal)
    draft.bytes += nal.length
  }

  /** The first slice of a picture tells whether it is the first; where one is lost before it, it is not. */
  #judge(draft: Draft, nal: Uint8Array): void {
    const first = claimsFirstSlice(this.#codec, nal)
    if (this.#doubtful && !first) draft.damaged = true
    this.#doubtful = false
    if (first || draft.timestamp !== this.#lastTimestamp) return
    this.#markerLies = true
    draft.damaged = true // Its first slices are in the unit before.
  }

  #finish(units: RtpUnit[]): void {
    const draft = this.#draft
    this.#draft = undefined
    if (this.#gathers && draft) draft.damaged = true
    this.#gathers = false
    if (!draft) return
    const { nalUnits, timestamp, damaged, lost, arrivalMs } = draft
    this.#lastTimestamp = timestamp
    if (nalUnits.length > 0 || damaged) {
      units.push({ timestamp, offset: 0, parts: nalUnits, damaged, lost, arrivalMs })
    } else this.#lost += lost
  }
}

const stapA = 24
const fuA = 28

/**
 * RFC 6184, section 5. Types that it leaves undefined say nothing (section 5.2).
 *
 *   type 1–23: the NAL unit     24 STAP-A: header │ (size u16 │ NAL unit) …
 *   28 FU-A: F 1 NRI 2 type 5 │ S 1 E 1 R 1 type 5 │ piece     0, 30, 31: undefined
 */
function openH264(payload: Uint8Array): Payload {
  const [indicator, header = 0] = payload
  if (indicator === undefined) return { kind: 'none' }
  const type = indicator & 0x1f
  if (hasStartCode(payload)) return annexB(payload)
  if (type === 0 || type > 29) return { kind: 'none' }
  if (type < stapA) return { kind: 'whole', nalUnits: [payload] }
  if (type === stapA) return aggregated(payload, 1)
  if (type !== fuA || payload.length < 3) return { kind: 'bad' }
  return {
    kind: 'fragment',
    header: Uint8Array.of((indicator & 0xe0) | (header & 0x1f)),
    piece: payload.subarray(2),
    start: (header & 0x80) !== 0,
    end: (header & 0x40) !== 0,
  }
}

const aggregation = 48
const fragmentation = 49

/**
 * RFC 7798, section 4.4 (without DONL: sprop-max-don-diff 0).
 *
 *   type 0–47: the NAL unit     48 AP: header 2 │ (size u16 │ NAL unit) …
 *   49 FU: header 2 │ S 1 E 1 type 6 │ piece
 */
function openH265(payload: Uint8Array): Payload {
  const [first, second = 0, header = 0] = payload
  if (first === undefined) return { kind: 'none' }
  if (payload.length < 3) return { kind: 'bad' }
  if (hasStartCode(payload)) return annexB(payload)
  const type = (first >> 1) & 0x3f
  if (type < aggregation) return { kind: 'whole', nalUnits: [payload] }
  if (type === aggregation) return aggregated(payload, 2)
  if (type !== fragmentation || payload.length < 4) return { kind: 'bad' }
  return {
    kind: 'fragment',
    header: Uint8Array.of((first & 0x81) | ((header & 0x3f) << 1), second),
    piece: payload.subarray(3),
    start: (header & 0x80) !== 0,
    end: (header & 0x40) !== 0,
  }
}

/** Against the RFCs some firmware sends Annex B; no NAL unit begins so, of either codec. */
function hasStartCode(payload: Uint8Array): boolean {
  const [a, b, c, d] = payload
  return a === 0 && b === 0 && (c === 1 || (c === 0 && d === 1))
}

function annexB(payload: Uint8Array): Payload {
  try {
    return { kind: 'whole', nalUnits: splitAnnexB(payload) }
  } catch {
    return { kind: 'bad' } // More NAL units than a picture may have.
  }
}

function aggregated(payload: Uint8Array, headerBytes: number): Payload {
  const nalUnits: Uint8Array[] = []
  for (let at = headerBytes; at < payload.length; ) {
    const size = ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0)
    const start = at + 2
    at = start + size
    if (size === 0 || at > payload.length) return { kind: 'bad' }
    nalUnits.push(payload.subarray(start, at))
  }
  return nalUnits.length > 0 ? { kind: 'whole', nalUnits } : { kind: 'bad' }
}
