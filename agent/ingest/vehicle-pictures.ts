import { AppError } from '../../shared/error.ts'
import { nalUnitsPerUnitMax } from '../../shared/limits.ts'
import { type ParsedPicture, VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import { claimsFirstSlice } from '../../shared/media/h264-slice.ts'
import {
  h264Nal,
  h265Nal,
  isParameterSet,
  isVcl,
  type NalCodec,
  nalType,
  splitAnnexB,
} from '../../shared/media/nal.ts'
import { vehicleAssemblyBytesMax, vehicleAssemblyMs, vehiclePictureMs } from '../../shared/vehicle-limits.ts'
import { type Jt1078Packet, payloadTypes } from '../protocol/jt1078.ts'
import type { Held, Jt1078Piece } from '../protocol/jt1078-lane.ts'

export type PictureRefusal = 'bad-picture' | 'no-parameter-sets' | 'unknown-codec'

/** What is known to be missing before a picture. */
export type PictureLoss = {
  /** The packets' numbers say so, or parts were missing. */
  isLossy: boolean
  /** Pictures that could not be read. */
  missed: number
}

export type VehiclePicture = {
  picture: ParsedPicture
  loss: PictureLoss
  timestampMs: Jt1078Packet['timestampMs']
  arrivalMs: number
}

type Group = {
  codec: NalCodec
  timestampMs: Jt1078Packet['timestampMs']
  nalUnits: Uint8Array[]
  bytes: number
  hasSlice: boolean
  loss: PictureLoss
  marker: boolean
  damaged: boolean
  arrivalMs: number
}

/**
 * Pieces of the pictures' lane → pictures. Parameter sets, SEI and slices may come as pieces of their own with one
 * timestamp: what has one timestamp is one access unit, unless it plainly is another picture (clocks stand still).
 *
 * A picture is complete when the next begins, or when its last piece said so and nothing more came for
 * `vehiclePictureMs`: live does not wait for the next one. A device that then sends more slices of a picture is
 * waited for from there on.
 */
export class VehiclePictures {
  readonly #held: Held
  readonly #onRefused: (reason: PictureRefusal) => void
  #parser: { codec: NalCodec; units: VideoUnitParser } | undefined
  #group: Group | undefined
  /** The timestamp of the picture that was given out without having seen the next. */
  #early: { timestampMs: Jt1078Packet['timestampMs'] } | undefined
  #isPatient = false
  /** What is missing since the last piece. */
  #loss = noLoss()

  constructor(held: Held, onRefused: (reason: PictureRefusal) => void) {
    this.#held = held
    this.#onRefused = onRefused
  }

  /** Packets are missing before the next piece. */
  lost(): void {
    this.#loss.isLossy = true
  }

  /** A piece could not be put together. */
  missed(): void {
    this.#loss.missed += 1
  }

  push(piece: Jt1078Piece): VehiclePicture[] {
    const codec = codecOf(piece.payloadType)
    if (!codec) return this.#refuse('unknown-codec')
    let nalUnits: Uint8Array[]
    try {
      nalUnits = splitAnnexB(piece.bytes)
    } catch {
      return this.#refuse('bad-picture')
    }
    const before = this.#group && begins(this.#group, codec, piece, nalUnits) ? this.#flush() : []
    this.#add(codec, piece, nalUnits)
    return before
  }

  tick(nowMs: number): VehiclePicture[] {
    const group = this.#group
    if (!group) return []
    const waitedMs = nowMs - group.arrivalMs
    if (waitedMs > vehicleAssemblyMs) return this.#flush()
    if (this.#isPatient || !group.hasSlice || !group.marker || waitedMs < vehiclePictureMs) return []
    this.#early = { timestampMs: group.timestampMs }
    return this.#flush()
  }

  /** Nothing follows. What is missing behind the last picture stays with `loss`. */
  end(): VehiclePicture[] {
    return this.#flush()
  }

  get loss(): PictureLoss {
    return this.#loss
  }

  #add(codec: NalCodec, piece: Jt1078Piece, nalUnits: readonly Uint8Array[]): void {
    const { timestampMs, bytes, damaged, marker, arrivalMs } = piece
    const slice = nalUnits.find((nal) => isVcl(codec, nalType(codec, nal)))
    const isRest =
      slice !== undefined && this.#early?.timestampMs === timestampMs && !claimsFirstSlice(codec, slice)
    if (isRest) this.#isPatient = true
    if (slice) this.#early = undefined
    this.#group ??= {
      ...{ codec, timestampMs, nalUnits: [], bytes: 0, hasSlice: false, loss: noLoss() },
      ...{ marker, damaged: false, arrivalMs },
    }
    const group = this.#group
    group.loss = sum(group.loss, this.#loss)
    this.#loss = noLoss()
    group.nalUnits.push(...nalUnits)
    group.bytes += bytes.length
    this.#held.bytes += bytes.length
    group.hasSlice ||= slice !== undefined
    group.damaged ||= damaged || isRest
    group.marker = marker
    group.arrivalMs = arrivalMs
  }

  #flush(): VehiclePicture[] {
    const group = this.#group
    if (!group) return []
    this.#group = undefined
    this.#held.bytes -= group.bytes
    const { codec, nalUnits, damaged, timestampMs, arrivalMs, loss } = group
    try {
      const picture = this.#parserOf(codec).parseNalUnits(nalUnits, damaged)
      if (picture) return [{ picture, loss, timestampMs, arrivalMs }]
      this.#loss = sum(loss, this.#loss)
      return []
    } catch (cause) {
      this.#loss = sum(loss, this.#loss)
      return this.#refuse(
        AppError.from(cause).kind === 'FailedPrecondition' ? 'no-parameter-sets' : 'bad-picture',
      )
    }
  }

  #parserOf(codec: NalCodec): VideoUnitParser {
    if (this.#parser?.codec !== codec) this.#parser = { codec, units: new VideoUnitParser(codec) }
    return this.#parser.units
  }

  #refuse(reason: PictureRefusal): VehiclePicture[] {
    // Before its parameter sets a picture is not lost: it can begin nothing.
    if (reason === 'bad-picture') this.#loss.missed += 1
    this.#onRefused(reason)
    return []
  }
}

function noLoss(): PictureLoss {
  return { isLossy: false, missed: 0 }
}

function sum(a: PictureLoss, b: PictureLoss): PictureLoss {
  return { isLossy: a.isLossy || b.isLossy, missed: a.missed + b.missed }
}

function codecOf(payloadType: number): NalCodec | undefined {
  if (payloadType === payloadTypes.h264) return 'h264'
  return payloadType === payloadTypes.h265 ? 'h265' : undefined
}

/** Whether a piece begins another access unit than the one that is under way. */
function begins(group: Group, codec: NalCodec, piece: Jt1078Piece, nalUnits: readonly Uint8Array[]): boolean {
  if (group.codec !== codec || group.timestampMs !== piece.timestampMs) return true
  if (group.bytes + piece.bytes.length > vehicleAssemblyBytesMax) return true
  if (group.nalUnits.length + nalUnits.length > nalUnitsPerUnitMax) return true
  const [first] = nalUnits
  if (!group.hasSlice || !first) return false
  const type = nalType(codec, first)
  if (isVcl(codec, type)) return claimsFirstSlice(codec, first)
  const isAud = type === (codec === 'h264' ? h264Nal.aud : h265Nal.aud)
  const isSei = type === (codec === 'h264' ? h264Nal.sei : h265Nal.prefixSei)
  return isParameterSet(codec, type) || isAud || isSei
}
