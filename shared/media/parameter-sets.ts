import { AppError } from '../error.ts'
import { parameterSetsBytesMax } from '../limits.ts'
import type { VideoConfig } from './access-unit.ts'
import { BitReader } from './bits.ts'
import { videoConfig } from './codec-config.ts'
import { type H264Pps, parseH264Pps } from './h264-pps.ts'
import { type H264Sps, parseH264Sps } from './h264-sps.ts'
import { h265NalHeaderBytes, parseH265Sps } from './h265-sps.ts'
import { h264Nal, h265Nal, type NalCodec, nalType } from './nal.ts'
import { readable } from './video-shape.ts'

type Kind = 'vps' | 'sps' | 'pps' | 'extension'
type Entry = {
  readonly bytes: Uint8Array
  readonly spsId: number
  readonly h264: H264Sps | H264Pps | undefined
}

const setsMax: Record<Kind, number> = { vps: 16, sps: 31, pps: 255, extension: 31 } // What avcC can count.

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}

function sameSets(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((nal, at) => sameBytes(nal, b[at] ?? nal.subarray(1)))
}

/**
 * The parameter sets of one stream as they stand at this moment, by id, and the configuration they make.
 *
 * A set that comes again unchanged changes nothing. The configuration is a new object only where a decoder
 * could start anew (a random access picture) or must (the SPS in force is another): encoders may send
 * another PPS with every picture, and that PPS then travels with its picture.
 */
export class ParameterSets {
  readonly #codec: NalCodec
  readonly #sets: Record<Kind, Map<number, Entry>> = {
    vps: new Map(),
    sps: new Map(),
    pps: new Map(),
    extension: new Map(),
  }
  readonly #travelling = new Map<number, Uint8Array>() // PPS that changed since the last picture.
  #sizeBytes = 0
  #changed = false
  #config: VideoConfig | undefined
  #activeSpsId: number | undefined
  #activeSps: Uint8Array | undefined
  #rotation: VideoConfig['rotation'] = 0

  constructor(codec: NalCodec) {
    this.#codec = codec
  }

  /** Clockwise; from the next random access picture on. */
  set rotation(rotation: VideoConfig['rotation']) {
    this.#changed ||= rotation !== this.#rotation
    this.#rotation = rotation
  }

  /** Takes a copy. `ResourceExhausted` past the bounds: only a hostile source has so many. */
  add(nal: Uint8Array): void {
    const { kind, id, spsId } = this.#identify(nal)
    const sets = this.#sets[kind]
    const old = sets.get(id)
    if (old && sameBytes(old.bytes, nal)) return
    const sizeBytes = this.#sizeBytes + nal.length - (old?.bytes.length ?? 0)
    if (sizeBytes > parameterSetsBytesMax || (!old && sets.size === setsMax[kind])) {
      throw new AppError('ResourceExhausted', 'video stream: it sends more parameter sets than are kept')
    }
    const bytes = Uint8Array.from(nal)
    sets.set(id, { bytes, spsId, h264: this.#parsed(kind, nal) })
    if (kind === 'pps') this.#travelling.set(id, bytes)
    this.#sizeBytes = sizeBytes
    this.#changed = true
  }

  #parsed(kind: Kind, nal: Uint8Array): H264Sps | H264Pps | undefined {
    if (this.#codec !== 'h264') return undefined
    if (kind === 'sps') return readable(() => parseH264Sps(nal))
    return kind === 'pps' ? readable(() => parseH264Pps(nal)) : undefined
  }

  /** An id that cannot be read is taken for 0: the set is kept all the same. */
  #identify(nal: Uint8Array): { kind: Kind; id: number; spsId: number } {
    const ids = (start: number, skip: number) =>
      readable(() => {
        const reader = new BitReader(nal, start)
        reader.skip(skip)
        return { id: reader.ueMax(255, 'parameter set id'), spsId: readable(() => reader.ue()) ?? 0 }
      }) ?? { id: 0, spsId: 0 }
    const type = nalType(this.#codec, nal)
    if (this.#codec === 'h264') {
      if (type === h264Nal.sps) return { kind: 'sps', id: ids(1, 24).id, spsId: 0 }
      if (type === h264Nal.pps) return { kind: 'pps', ...ids(1, 0) }
      return { kind: 'extension', ...ids(1, 0) }
    }
    if (type === h265Nal.vps) return { kind: 'vps', id: (nal[2] ?? 0) >> 4, spsId: 0 }
    if (type === h265Nal.pps) return { kind: 'pps', ...ids(h265NalHeaderBytes, 0) }
    return { kind: 'sps', id: readable(() => parseH265Sps(nal).id) ?? 0, spsId: 0 }
  }

  /** Both sets of an H.264 slice, or undefined when one is missing or cannot be read. */
  h264(ppsId: number): { sps: H264Sps; pps: H264Pps } | undefined {
    const pps = this.#sets.pps.get(ppsId)
    const sps = pps && this.#sets.sps.get(pps.spsId)
    if (!pps?.h264 || !sps?.h264) return undefined
    return { sps: sps.h264 as H264Sps, pps: pps.h264 as H264Pps }
  }

  /** Whether a picture can name this PPS. */
  has(ppsId: number): boolean {
    return this.#sets.pps.has(ppsId)
  }

  /**
   * For a picture that names this PPS (undefined: its header cannot be read): the configuration in force, and
   * the parameter sets that must stand before its slices. Undefined until there are an SPS and a PPS.
   */
  forPicture(
    ppsId: number | undefined,
    randomAccess: boolean,
  ): { config: VideoConfig; inBand: Uint8Array[] } | undefined {
    const named = ppsId === undefined ? undefined : this.#sets.pps.get(ppsId)?.spsId
    const spsId = named !== undefined && this.#sets.sps.has(named) ? named : this.#activeSpsId
    const sps = spsId === undefined ? undefined : this.#sets.sps.get(spsId)?.bytes
    const inBand = [...this.#travelling.values()]
    if (this.#config && sps === this.#activeSps && (!randomAccess || !this.#changed)) {
      this.#travelling.clear()
      return { config: this.#config, inBand }
    }
    if (this.#sets.pps.size === 0 || this.#sets.sps.size === 0) return undefined
    this.#travelling.clear()
    this.#activeSpsId = spsId
    this.#activeSps = sps
    this.#changed = false
    const config = this.#rebuild(this.#ordered(spsId))
    this.#config = config
    return { config, inBand: [] }
  }

  /** The old object when the sets went and came back. */
  #rebuild(parameterSets: Uint8Array[]): VideoConfig {
    const old = this.#config
    if (old?.rotation === this.#rotation && sameSets(old.parameterSets, parameterSets)) return old
    return videoConfig({ codec: this.#codec, parameterSets, rotation: this.#rotation })
  }

  /** The SPS in force first: size and profile are read from it. */
  #ordered(activeSpsId: number | undefined): Uint8Array[] {
    const of = (kind: Kind) =>
      [...this.#sets[kind].entries()].sort(([a], [b]) => a - b).map(([id, { bytes }]) => ({ id, bytes }))
    const sps = of('sps')
    const active = sps.filter(({ id }) => id === activeSpsId)
    const others = sps.filter(({ id }) => id !== activeSpsId)
    return [...of('vps'), ...active, ...others, ...of('extension'), ...of('pps')].map(({ bytes }) => bytes)
  }
}
