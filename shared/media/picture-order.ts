import { AppError } from '../error.ts'
import type { VideoConfig } from './access-unit.ts'
import { resetsPictureOrder } from './h264-marking.ts'
import type { H264Pps } from './h264-pps.ts'
import { type H264SliceHeader, parseH264Slice, slicePpsId } from './h264-slice.ts'
import type { H264Sps, PictureOrderSyntax } from './h264-sps.ts'
import { isParameterSet, isVcl, nalType } from './nal.ts'
import { ParameterSets } from './parameter-sets.ts'
import { readable } from './video-shape.ts'

type Sets = { sps: H264Sps; pps: H264Pps }
type OrderedSlice = { header: H264SliceHeader; reset: boolean; sps: H264Sps }
type Counts = { top: number; bottom: number }
type Order0 = Extract<PictureOrderSyntax, { type: 0 }>
type Order1 = Extract<PictureOrderSyntax, { type: 1 }>

/** Picture order count of H.264 (8.2.1): pictures in decode order → numbers that ascend in display order. */
export class PictureOrder {
  #previousMsb = 0
  #previousLsb = 0
  #previousFrameNum = 0
  #previousOffset = 0
  #previousReset = false

  /** Restarts at each IDR; `reset` (operation 5) counts as one for all that follows. */
  next({ header, reset, sps }: OrderedSlice): number {
    const counts = this.#counts(header, sps)
    const count = header.fieldPic
      ? header.bottomField
        ? counts.bottom
        : counts.top
      : Math.min(counts.top, counts.bottom)
    if (reset) this.#reset(header, counts, count)
    return count
  }

  #counts(header: H264SliceHeader, sps: H264Sps): Counts {
    const order = sps.pictureOrder
    if (order.type === 0) return this.#fromLsb(header, order)
    const frames = this.#frameNumOffset(header, sps) + header.frameNum
    return order.type === 1 ? fromCycle(header, order, frames) : fromFrameNum(header, frames)
  }

  /** 8.2.1.1 */
  #fromLsb(header: H264SliceHeader, order: Order0): Counts {
    if (header.idr) {
      this.#previousMsb = 0
      this.#previousLsb = 0
    }
    const span = 2 ** order.log2MaxLsb
    const lsb = header.pocLsb
    let msb = this.#previousMsb
    if (lsb < this.#previousLsb && this.#previousLsb - lsb >= span / 2) msb += span
    else if (lsb > this.#previousLsb && lsb - this.#previousLsb > span / 2) msb -= span
    if (header.refIdc !== 0) {
      this.#previousMsb = msb
      this.#previousLsb = lsb
    }
    const top = msb + lsb
    return { top, bottom: header.fieldPic ? top : top + header.deltaPocBottom }
  }

  /** FrameNumOffset of 8.2.1.2 and 8.2.1.3. */
  #frameNumOffset(header: H264SliceHeader, sps: H264Sps): number {
    const before = this.#previousReset ? 0 : this.#previousOffset
    const wrapped = this.#previousFrameNum > header.frameNum
    const offset = header.idr ? 0 : wrapped ? before + 2 ** sps.log2MaxFrameNum : before
    this.#previousOffset = offset
    this.#previousFrameNum = header.frameNum
    this.#previousReset = false
    return offset
  }

  #reset(header: H264SliceHeader, counts: Counts, count: number): void {
    this.#previousMsb = 0
    this.#previousLsb = header.bottomField ? 0 : counts.top - count
    this.#previousFrameNum = 0
    this.#previousOffset = 0
    this.#previousReset = true
  }
}

/** 8.2.1.2 */
function fromCycle(header: H264SliceHeader, order: Order1, frames: number): Counts {
  const cycle = order.offsetsForRefFrame
  const nonRef = header.refIdc === 0
  const absolute = cycle.length === 0 ? 0 : Math.max(0, nonRef ? frames - 1 : frames)
  let expected = 0
  if (absolute > 0) {
    const whole = Math.floor((absolute - 1) / cycle.length)
    const part = (absolute - 1) % cycle.length
    const sum = (count: number) => cycle.slice(0, count).reduce((total, offset) => total + offset, 0)
    expected = whole * sum(cycle.length) + sum(part + 1)
  }
  if (nonRef) expected += order.offsetForNonRef
  const top = expected + header.deltaPoc[0]
  const second = header.fieldPic ? 0 : header.deltaPoc[1]
  return { top, bottom: top + order.offsetForTopToBottom + second }
}

/** 8.2.1.3 */
function fromFrameNum(header: H264SliceHeader, frames: number): Counts {
  const count = header.idr ? 0 : 2 * frames - (header.refIdc === 0 ? 1 : 0)
  return { top: count, bottom: count }
}

/** Parameter sets and first slice of a picture. */
function readPicture(nalUnits: readonly Uint8Array[], sets: ParameterSets): OrderedSlice | undefined {
  for (const nal of nalUnits) {
    const type = nalType('h264', nal)
    if (isParameterSet('h264', type)) sets.add(nal)
    if (!isVcl('h264', type)) continue
    return readable(() => {
      const named: Sets | undefined = sets.h264(slicePpsId('h264', nal, type))
      if (!named) return undefined
      const { header, rest } = parseH264Slice(nal, named)
      return { header, reset: resetsPictureOrder(header, rest, named), sps: named.sps }
    })
  }
  return undefined
}

/**
 * Display order of pictures that stand in decode order: element i is the place of picture i, 0 to n − 1.
 * `config` holds the parameter sets where the pictures do not bring their own. A picture that cannot be read
 * is shown after the one before it. `FailedPrecondition` for other codecs than H.264.
 */
export function presentationOrder(
  pictures: readonly { readonly nalUnits: readonly Uint8Array[]; readonly config?: VideoConfig }[],
  config: VideoConfig,
): number[] {
  if (config.codec !== 'h264') {
    throw new AppError('FailedPrecondition', `the display order of ${config.codec} cannot be read`)
  }
  const sets = new ParameterSets('h264')
  const order = new PictureOrder()
  let inForce: VideoConfig | undefined
  let period = 0 // Pictures before an IDR (or a reset) are shown before it.
  let last = 0
  const keys = pictures.map((picture, index) => {
    const now = picture.config ?? config
    if (now !== inForce) for (const nal of now.parameterSets) sets.add(nal)
    inForce = now
    const slice = readPicture(picture.nalUnits, sets)
    if (slice?.header.idr || slice?.reset) period += 1
    last = slice ? order.next(slice) : last
    return { index, period, count: slice?.reset ? Number.NEGATIVE_INFINITY : last }
  })
  keys.sort((a, b) => a.period - b.period || a.count - b.count || a.index - b.index)
  const places = new Array<number>(pictures.length)
  for (const [place, { index }] of keys.entries()) places[index] = place
  return places
}
