import { AppError } from '../error.ts'
import { parameterSetBytesMax } from '../limits.ts'
import type { VideoConfig } from './access-unit.ts'
import { parseH264Sps } from './h264-sps.ts'
import { type H265Sps, h265Profile, parseH265Sps } from './h265-sps.ts'
import { h264Nal, h265Nal, isParameterSet, type NalCodec, nalType } from './nal.ts'
import { h264Shape, h265Shape, readable } from './video-shape.ts'

const spsBytesMin = 4 // NAL header, profile, constraints, level: all that avcC needs.

function firstSps(codec: NalCodec, parameterSets: readonly Uint8Array[]): Uint8Array {
  const type = codec === 'h264' ? h264Nal.sps : h265Nal.sps
  const sps = parameterSets.find((nal) => nalType(codec, nal) === type)
  if (!sps || sps.length < spsBytesMin) {
    throw new AppError('InvalidArgument', 'video configuration: there is no sequence parameter set')
  }
  return sps
}

function checkSets(parameterSets: readonly Uint8Array[]): void {
  for (const nal of parameterSets) {
    if (nal.length < parameterSetBytesMax) continue
    throw new AppError('InvalidArgument', `video configuration: a parameter set of ${nal.length} bytes`)
  }
}

/**
 * The configuration of an H.264 or H.265 stream; size and depth are those of the first SPS. An SPS that
 * cannot be read, or that claims an impossible size, is kept with width and height 0: its pictures may
 * still be good. The parameter sets are not copied.
 */
export function videoConfig(options: {
  codec: NalCodec
  parameterSets: readonly Uint8Array[]
  rotation?: VideoConfig['rotation']
}): VideoConfig {
  const { codec, parameterSets, rotation = 0 } = options
  checkSets(parameterSets)
  const nal = firstSps(codec, parameterSets)
  const shape = codec === 'h264' ? h264Shape(nal) : h265Shape(nal)
  return { track: 'video', codec, parameterSets, rotation, ...shape }
}

// --- Decoder configuration records

function ofType(config: VideoConfig, type: number, max: number): Uint8Array[] {
  const codec = config.codec === 'h264' ? 'h264' : 'h265'
  const sets = config.parameterSets.filter((nal) => nalType(codec, nal) === type)
  if (sets.length > max) {
    throw new AppError('InvalidArgument', `video configuration: ${sets.length} sets of type ${type}`)
  }
  return sets
}

function withLengths(sets: readonly Uint8Array[]): Uint8Array[] {
  return sets.flatMap((nal) => [Uint8Array.of(nal.length >> 8, nal.length & 0xff), nal])
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts))
}

const avcProfilesWithTail: ReadonlySet<number> = new Set([100, 110, 122, 144, 244, 44, 83, 86, 118, 128])
const lengthBytesWritten = 4

/**
 * AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
 *
 *   01 | profile | constraints | level | 111111 lengthSize−1 | 111 SPS count | [u16 length, SPS]…
 *   | PPS count | [u16 length, PPS]… | High profiles: chroma, bit depths − 8, SPS extensions
 */
export function encodeAvcC(config: VideoConfig): Uint8Array<ArrayBuffer> {
  const sps = ofType(config, h264Nal.sps, 31)
  const pps = ofType(config, h264Nal.pps, 255)
  const first = firstSps('h264', sps)
  const head = [1, first[1] ?? 0, first[2] ?? 0, first[3] ?? 0, 0xfc | (lengthBytesWritten - 1)]
  const parts = [Uint8Array.of(...head, 0xe0 | sps.length), ...withLengths(sps)]
  parts.push(Uint8Array.of(pps.length), ...withLengths(pps))
  const read = readable(() => parseH264Sps(first))
  if (read && avcProfilesWithTail.has(read.profile)) {
    const extensions = ofType(config, h264Nal.spsExtension, 255)
    const depths = [0xf8 | (read.bitDepthLuma - 8), 0xf8 | (read.bitDepthChroma - 8)]
    parts.push(Uint8Array.of(0xfc | read.chromaFormat, ...depths, extensions.length))
    parts.push(...withLengths(extensions))
  }
  return join(parts)
}

const unreadProfile = new Uint8Array(12)

/**
 * HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1): 01, the 12 bytes of profile, tier and level,
 * segmentation, parallelism, chroma, bit depths, frame rate (all "unknown" where the SPS does not say),
 * layers and length size, then one complete array each of VPS, SPS and PPS.
 */
export function encodeHvcC(config: VideoConfig): Uint8Array<ArrayBuffer> {
  const first = firstSps('h265', config.parameterSets)
  const sps = readable(() => parseH265Sps(first))
  const profile = readable(() => h265Profile(first).bytes) ?? unreadProfile
  const arrays = [h265Nal.vps, h265Nal.sps, h265Nal.pps]
    .map((type) => ({ type, sets: ofType(config, type, 0xffff) }))
    .filter((array) => array.sets.length > 0)
  const parts = [Uint8Array.of(1), profile, hvcShape(sps, arrays.length)]
  for (const { type, sets } of arrays) {
    parts.push(Uint8Array.of(0x80 | type, sets.length >> 8, sets.length & 0xff), ...withLengths(sets))
  }
  return join(parts)
}

function hvcShape(sps: H265Sps | undefined, arrays: number): Uint8Array {
  const chroma = 0xfc | (sps?.chromaFormat ?? 1)
  const luma = 0xf8 | ((sps?.bitDepthLuma ?? 8) - 8)
  const depth = 0xf8 | ((sps?.bitDepthChroma ?? 8) - 8)
  const layers = ((sps?.temporalLayers ?? 1) << 3) | ((sps?.temporalIdNested ? 1 : 0) << 2)
  return Uint8Array.of(0xf0, 0, 0xfc, chroma, luma, depth, 0, 0, layers | (lengthBytesWritten - 1), arrays)
}

/** Reads a record's fields; running out of bytes is an `InvalidArgument`. */
class RecordReader {
  readonly #bytes: Uint8Array
  #position: number

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes
    this.#position = start
  }

  byte(): number {
    const value = this.#bytes[this.#position]
    if (value === undefined) throw new AppError('InvalidArgument', 'decoder configuration: it ends too early')
    this.#position += 1
    return value
  }

  get atEnd(): boolean {
    return this.#position >= this.#bytes.length
  }

  /** Copies: a configuration outlives the message that brought it. */
  sets(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => {
      const length = (this.byte() << 8) | this.byte()
      if (this.#position + length > this.#bytes.length) {
        throw new AppError('InvalidArgument', 'decoder configuration: a parameter set goes past the end')
      }
      this.#position += length
      return Uint8Array.from(this.#bytes.subarray(this.#position - length, this.#position))
    })
  }
}

function lengthBytesOf(field: number): 1 | 2 | 4 {
  const lengthBytes = (field & 3) + 1
  if (lengthBytes === 3) throw new AppError('InvalidArgument', 'decoder configuration: lengths of 3 bytes')
  return lengthBytes as 1 | 2 | 4
}

function checkVersion(bytes: Uint8Array): void {
  if (bytes[0] !== 1) {
    throw new AppError('InvalidArgument', `decoder configuration: version ${bytes[0]}, only 1 is known`)
  }
}

/** Layout: see `encodeAvcC`. */
export function parseAvcC(bytes: Uint8Array): { config: VideoConfig; lengthBytes: 1 | 2 | 4 } {
  checkVersion(bytes)
  const reader = new RecordReader(bytes, 4)
  const lengthBytes = lengthBytesOf(reader.byte())
  const sets = reader.sets(reader.byte() & 0x1f)
  sets.push(...reader.sets(reader.byte()))
  const parameterSets = sets.filter((nal) => isParameterSet('h264', nalType('h264', nal)))
  return { config: videoConfig({ codec: 'h264', parameterSets }), lengthBytes }
}

/** Layout: see `encodeHvcC`. Arrays of SEI and the like are left out. */
export function parseHvcC(bytes: Uint8Array): { config: VideoConfig; lengthBytes: 1 | 2 | 4 } {
  checkVersion(bytes)
  const reader = new RecordReader(bytes, 21)
  const lengthBytes = lengthBytesOf(reader.byte())
  const arrays = reader.byte()
  const sets: Uint8Array[] = []
  for (let array = 0; array < arrays; array++) {
    reader.byte() // Completeness and type; each NAL unit tells its own.
    sets.push(...reader.sets((reader.byte() << 8) | reader.byte()))
  }
  const parameterSets = sets
    .filter((nal) => isParameterSet('h265', nalType('h265', nal)))
    .sort((a, b) => nalType('h265', a) - nalType('h265', b))
  return { config: videoConfig({ codec: 'h265', parameterSets }), lengthBytes }
}
