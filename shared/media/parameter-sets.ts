import { AppError } from '../error.ts'
import { parameterSetsBytesMax } from '../limits.ts'
import type { VideoConfig } from './access-unit.ts'
import { BitReader } from './bits.ts'
import { videoConfig } from './codec-config.ts'
import { type H264Pps, type H264Sps, parseH264Pps, parseH264Sps } from './h264-sps.ts'
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
 * A set that comes again unchanged changes nothing; the configuration is a new object only when its bytes,
 * the SPS in force or the rotation differ.
 */
export class ParameterSets {
  readonly #codec: NalCodec
  readonly #sets: Record<Kind, Map<number, Entry>> = {
    vps: new Map(),
    sps: new Map(),
    pps: new Map(),
    extension: new Map(),
  }
  #sizeBytes = 0
  #changed = false
  #config: VideoConfig | undefined
  #activeSpsId: number | undefined
  #rotation: VideoConfig['rotation'] = 0

  constructor(codec: NalCodec) {
    this.#codec = codec
  }

  /** Clockwise; from the next picture on. */
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
    sets.set(id, { bytes: Uint8Array.from(nal), spsId, h264: this.#parsed(kind, nal) })
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
   * The configuration in force for a picture that names this PPS; of an unknown PPS (a damaged picture) the
   * one before. Undefined until there are an SPS and a PPS.
   */
  config(ppsId: number | undefined): VideoConfig | undefined {
    const named = ppsId === undefined ? undefined : this.#sets.pps.get(ppsId)?.spsId
    const spsId = named !== undefined && this.#sets.sps.has(named) ? named : this.#activeSpsId
    if (this.#config && !this.#changed && spsId === this.#activeSpsId) return this.#config
    if (this.#sets.pps.size === 0 || this.#sets.sps.size === 0) return undefined
    const parameterSets = this.#ordered(spsId)
    const same =
      this.#config?.rotation === this.#rotation && sameSets(this.#config.parameterSets, parameterSets)
    if (!same) this.#config = videoConfig({ codec: this.#codec, parameterSets, rotation: this.#rotation })
    this.#activeSpsId = spsId
    this.#changed = false
    return this.#config
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
