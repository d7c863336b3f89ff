import { AppError } from '../error.ts'
import { parameterSetsBytesMax } from '../limits.ts'
import type { VideoConfig } from './access-unit.ts'
import {
  claimsFirstSlice,
  type H264SliceHeader,
  parseH264Slice,
  slicePpsId,
  startsNewPicture,
} from './h264-slice.ts'
import {
  annexBSize,
  h264Nal,
  h265Nal,
  isDropped,
  isKey,
  isParameterSet,
  isVcl,
  type NalCodec,
  nalType,
  splitAnnexB,
} from './nal.ts'
import { ParameterSets } from './parameter-sets.ts'
import { hasRecoveryPoint } from './sei.ts'
import { readable } from './video-shape.ts'

/** An access unit without times: the fields are those of `AccessUnit`. */
export type ParsedPicture = {
  readonly config: VideoConfig
  /**
   * Views of the message, without AUD, filler, end of sequence and parameter sets; only a PPS that changed
   * between two random access pictures stays, before the first picture that may use it.
   */
  readonly nalUnits: readonly Uint8Array[]
  readonly sizeBytes: number
  readonly randomAccess: boolean
  readonly idr: boolean
  /** Kept, but a forbidden bit, an unreadable slice header or stray bytes say that it was hurt on its way. */
  readonly damaged: boolean
}

const forbiddenBit = 0x80

/**
 * For sources that give one access unit per message (phones, FLV, RTMP).
 *
 * Parameter sets are remembered over messages, whether they come alone, before a picture or after it (then
 * they are the next picture's). SEI of a message without a picture go to the next one.
 */
export class VideoUnitParser {
  readonly #codec: NalCodec
  readonly #parameterSets: ParameterSets
  #carried: Uint8Array[] = []

  constructor(codec: NalCodec) {
    this.#codec = codec
    this.#parameterSets = new ParameterSets(codec)
  }

  /** Clockwise, as the source says; a change makes a new configuration at the next random access picture. */
  set rotation(rotation: VideoConfig['rotation']) {
    this.#parameterSets.rotation = rotation
  }

  /**
   * Undefined when the message holds no picture. `InvalidArgument`: not Annex B, or past a bound;
   * `FailedPrecondition`: a picture before its SPS and PPS.
   */
  parse(annexB: Uint8Array): ParsedPicture | undefined {
    const nalUnits = splitAnnexB(annexB)
    const stray = (nalUnits[0]?.byteOffset ?? 0) - annexB.byteOffset > 3 && annexB[0] !== 0
    return this.parseNalUnits(nalUnits, stray)
  }

  /** The same for NAL units that were taken apart already (length-prefixed samples). */
  parseNalUnits(nalUnits: readonly Uint8Array[], damaged = false): ParsedPicture | undefined {
    const picture = new PictureDraft(this.#codec, this.#parameterSets, damaged)
    for (const nal of this.#carried) picture.add(nal)
    for (const nal of nalUnits) picture.add(nal)
    const parsed = picture.finish()
    if (parsed || picture.hasVcl) this.#carried = []
    else this.#carry(picture.nalUnits)
    if (picture.hasVcl && !parsed) {
      throw new AppError('FailedPrecondition', 'video: a picture came before its SPS and PPS')
    }
    return parsed
  }

  #carry(nalUnits: readonly Uint8Array[]): void {
    const fits = annexBSize(nalUnits) <= parameterSetsBytesMax
    this.#carried = fits ? nalUnits.map((nal) => Uint8Array.from(nal)) : []
  }
}

/** Collects the NAL units of one message. */
class PictureDraft {
  readonly nalUnits: Uint8Array[] = []
  hasVcl = false
  readonly #codec: NalCodec
  readonly #parameterSets: ParameterSets
  readonly #after: Uint8Array[] = []
  #config: VideoConfig | undefined
  #damaged: boolean
  #key = false
  #cra = false
  #recoveryPoint = false

  constructor(codec: NalCodec, parameterSets: ParameterSets, damaged: boolean) {
    this.#codec = codec
    this.#parameterSets = parameterSets
    this.#damaged = damaged
  }

  add(nal: Uint8Array): void {
    const type = nalType(this.#codec, nal)
    if (((nal[0] ?? 0) & forbiddenBit) !== 0) this.#damaged = true
    if (isParameterSet(this.#codec, type)) {
      if (this.hasVcl) this.#after.push(nal)
      else this.#parameterSets.add(nal)
      return
    }
    if (isDropped(this.#codec, type)) return
    this.nalUnits.push(nal)
    if (isVcl(this.#codec, type)) this.#addSlice(nal, type)
    else if (this.#codec === 'h264' && type === h264Nal.sei) this.#recoveryPoint ||= hasRecoveryPoint(nal)
  }

  #addSlice(nal: Uint8Array, type: number): void {
    if (this.hasVcl) return
    this.hasVcl = true
    this.#key = isKey(this.#codec, type)
    this.#cra = this.#codec === 'h265' && type === h265Nal.cra
    const ppsId = readable(() => slicePpsId(this.#codec, nal, type))
    if (ppsId === undefined || !this.#parameterSets.has(ppsId)) this.#damaged = true
    const inForce = this.#parameterSets.forPicture(ppsId, this.#key || this.#recoveryPoint)
    if (!inForce) return
    this.#config = inForce.config
    this.nalUnits.unshift(...inForce.inBand)
  }

  /** Parameter sets behind the picture are in force from the next one on. */
  finish(): ParsedPicture | undefined {
    for (const nal of this.#after) this.#parameterSets.add(nal)
    if (!this.#config) return undefined
    return {
      config: this.#config,
      nalUnits: this.nalUnits,
      sizeBytes: annexBSize(this.nalUnits),
      randomAccess: this.#key || this.#recoveryPoint,
      idr: this.#key && !this.#cra, // Leading pictures of a CRA refer to what was before it.
      damaged: this.#damaged,
    }
  }
}

// --- Elementary streams

/** First NAL unit of an access unit when a picture is complete before it (H.264 7.4.1.2.3, H.265 7.4.2.4.4). */
function opensAccessUnit(codec: NalCodec, type: number): boolean {
  if (codec === 'h264') {
    return (
      (type >= h264Nal.sei && type <= h264Nal.aud) || (type >= h264Nal.prefix && type <= h264Nal.reserved18)
    )
  }
  const reserved = (type >= 41 && type <= 44) || (type >= 48 && type <= 55)
  return (type >= h265Nal.vps && type <= h265Nal.aud) || type === h265Nal.prefixSei || reserved
}

/**
 * Decides, slice by slice, where the next picture begins. `first_mb_in_slice = 0` alone is not enough: slices
 * may come in any order (ASO). The comparison of 7.4.1.2.4 alone is not either: damaged streams may
 * have two equal pictures in a row.
 */
class PictureBoundary {
  readonly #codec: NalCodec
  readonly #parameterSets: ParameterSets
  #before: H264SliceHeader | undefined
  #firstSliceSeen = false

  constructor(codec: NalCodec) {
    this.#codec = codec
    this.#parameterSets = new ParameterSets(codec)
  }

  addParameterSet(nal: Uint8Array): void {
    readable(() => this.#parameterSets.add(nal))
  }

  /** True when `nal` is a slice of another picture than the slice before it. */
  isNext(nal: Uint8Array, type: number): boolean {
    const first = claimsFirstSlice(this.#codec, nal)
    if (this.#codec === 'h265') return first
    if (type > h264Nal.partitionA && type <= h264Nal.partitionC) return false
    const ppsId = readable(() => slicePpsId('h264', nal, type))
    const sets = ppsId === undefined ? undefined : this.#parameterSets.h264(ppsId)
    const slice = sets && readable(() => parseH264Slice(nal, sets).header)
    if (slice && slice.redundantPicCnt > 0) return false
    const differs = slice !== undefined && this.#before !== undefined && startsNewPicture(this.#before, slice)
    const next = differs || (first && this.#firstSliceSeen)
    this.#firstSliceSeen = first || (this.#firstSliceSeen && !next)
    this.#before = slice
    return next
  }
}

/** Where the start code of a NAL unit begins, its zero_byte included. */
function startCodeOf(bytes: Uint8Array, nal: Uint8Array): number {
  const start = nal.byteOffset - bytes.byteOffset - 3
  return bytes[start - 1] === 0 ? start - 1 : start
}

/**
 * Cuts an elementary stream into access units (views), each with its own parameter sets, SEI and AUD before
 * its slices. What stands behind the last picture belongs to it. Fields of a frame are units of their own.
 */
export function splitAccessUnits(annexB: Uint8Array, codec: NalCodec): Uint8Array[] {
  const boundary = new PictureBoundary(codec)
  const starts: number[] = []
  let hasVcl = false // The open unit has a slice: the next opening NAL unit closes it.
  let openAt: number | undefined // Start of NAL units that wait for their picture.
  for (const nal of splitAnnexB(annexB, Number.MAX_SAFE_INTEGER)) {
    const type = nalType(codec, nal)
    if (isVcl(codec, type)) {
      const next = boundary.isNext(nal, type)
      if (!hasVcl || next) starts.push(openAt ?? startCodeOf(annexB, nal))
      openAt = undefined
      hasVcl = true
      continue
    }
    if (isParameterSet(codec, type)) boundary.addParameterSet(nal)
    if (hasVcl && !opensAccessUnit(codec, type)) continue
    openAt ??= startCodeOf(annexB, nal)
    hasVcl = false
  }
  return starts.map((start, at) => annexB.subarray(start, starts[at + 1] ?? annexB.length))
}
