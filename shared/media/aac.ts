import { AppError } from '../error.ts'
import { adtsFramesMax, sampleRateMax } from '../limits.ts'
import type { AudioConfig } from './access-unit.ts'
import { BitReader } from './bits.ts'

// samplingFrequencyIndex (ISO/IEC 14496-3, Table 1.18); 15 stands for a rate in 24 bits.
export const sampleRates = [
  96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
]
const explicitRate = 15

// channelConfiguration (Table 1.19); 0: a program config element tells, undefined: reserved.
const channelCounts = [0, 1, 2, 3, 4, 5, 6, 8, undefined, undefined, undefined, 7, 8, 24, 8]

const objectType = { lc: 2, sbr: 5, escape: 31, erLd: 23, ps: 29, erEld: 39 } as const
const sbrSync = 0x2b7 // syncExtensionType: SBR told behind a configuration that older decoders read.

type CoreConfig = { type: number; rateIndex: number; rate: number; channelIndex: number }

function refuse(message: string): AppError {
  return new AppError('InvalidArgument', `AAC configuration: ${message}`)
}

function readObjectType(reader: BitReader): number {
  const type = reader.bits(5)
  return type === objectType.escape ? 32 + reader.bits(6) : type
}

function readRate(reader: BitReader): { rateIndex: number; rate: number } {
  const rateIndex = reader.bits(4)
  const rate = rateIndex === explicitRate ? reader.bits(24) : sampleRates[rateIndex]
  if (!rate || rate > sampleRateMax) throw refuse(`the sample rate (index ${rateIndex}) is not one`)
  return { rateIndex, rate }
}

/** program_config_element (4.4.1.1), for its number of channels. */
function readProgramChannels(reader: BitReader): number {
  reader.skip(4 + 2 + 4)
  const pairs = reader.bits(4) + reader.bits(4) + reader.bits(4)
  const lfe = reader.bits(2)
  reader.skip(3 + 4)
  if (reader.flag()) reader.skip(4)
  if (reader.flag()) reader.skip(4)
  if (reader.flag()) reader.skip(3)
  let channels = lfe
  for (let element = 0; element < pairs; element++) {
    channels += reader.flag() ? 2 : 1
    reader.skip(4)
  }
  return channels
}

/** GASpecificConfig (4.4.1), ELDSpecificConfig (4.6.20): samples per frame, and the channels of index 0. */
function readFrame(reader: BitReader, core: CoreConfig): { samples: number; channels: number } {
  const short = reader.flag()
  const lowDelay = core.type === objectType.erLd || core.type === objectType.erEld
  const samples = lowDelay ? (short ? 480 : 512) : short ? 960 : 1024
  const known = channelCounts[core.channelIndex]
  if (known === undefined) throw refuse(`channel configuration ${core.channelIndex} is reserved`)
  if (core.channelIndex !== 0) return { samples, channels: known }
  if (reader.flag()) reader.skip(14) // dependsOnCoreCoder, coreCoderDelay
  reader.skip(1) // extensionFlag
  const channels = readProgramChannels(reader)
  if (channels < 1 || channels > 16) throw refuse(`${channels} channels`)
  return { samples, channels }
}

/** SBR in the tail of the configuration: its rate, or undefined. */
function readSbrTail(reader: BitReader): number | undefined {
  if (reader.bitsLeft < 19) return undefined
  reader.skip(2) // dependsOnCoreCoder and extensionFlag of the GASpecificConfig, both 0 in AAC-LC.
  if (reader.bits(11) !== sbrSync || readObjectType(reader) !== objectType.sbr) return undefined
  return reader.flag() ? readRate(reader).rate : undefined
}

function readCore(reader: BitReader): CoreConfig & { signalled: number; outputRate: number } {
  const signalled = readObjectType(reader)
  const { rateIndex, rate } = readRate(reader)
  const channelIndex = reader.bits(4)
  if (signalled !== objectType.sbr && signalled !== objectType.ps) {
    return { type: signalled, rateIndex, rate, channelIndex, signalled, outputRate: rate }
  }
  const outputRate = readRate(reader).rate
  return { type: readObjectType(reader), rateIndex, rate, channelIndex, signalled, outputRate }
}

/**
 * AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) → what the agent must know of an AAC stream.
 *
 *   audioObjectType 5 (31: + 6) | samplingFrequencyIndex 4 (15: + 24) | channelConfiguration 4
 *   [SBR, PS (types 5, 29): rate of the extension, audioObjectType of the core] | frameLengthFlag 1 …
 *
 * With SBR, `sampleRate` and `frameSamples` are those of the sound that comes out (2048 at 48 kHz).
 */
export function parseAudioSpecificConfig(bytes: Uint8Array): AudioConfig {
  const reader = new BitReader(bytes, 0, { escaped: false })
  const core = readCore(reader)
  const frame = readFrame(reader, core)
  const tail = core.type === objectType.lc && core.channelIndex !== 0 ? readSbrTail(reader) : undefined
  const sampleRate = core.signalled === core.type ? (tail ?? core.rate) : core.outputRate
  return {
    track: 'audio',
    codec: 'aac',
    specificConfig: Uint8Array.from(bytes), // A copy: it outlives the message that brought it.
    sampleRate,
    channels: core.signalled === objectType.ps && frame.channels === 1 ? 2 : frame.channels,
    frameSamples: Math.round((frame.samples * sampleRate) / core.rate),
    codecString: `mp4a.40.${core.signalled}`,
  }
}

const adtsHeaderBytes = 7
const adtsLengthMax = 0x1fff

/**
 * The ADTS header (ISO/IEC 14496-3, 1.A.2.2, no CRC) of one raw frame of `frameBytes`.
 *
 *   sync 12 ones | ID 0 | layer 00 | protection_absent 1 | profile 2 | rate index 4 | private 1 | channels 3
 *   0000 | frame length with header 13 | buffer fullness 11 (all ones: variable rate) | blocks − 1, 2
 */
export function adtsHeader(config: AudioConfig, frameBytes: number): Uint8Array<ArrayBuffer> {
  const core = readCore(new BitReader(config.specificConfig, 0, { escaped: false }))
  const length = adtsHeaderBytes + frameBytes
  if (core.type < 1 || core.type > 4 || core.rateIndex === explicitRate || core.channelIndex > 7) {
    throw new AppError('InvalidArgument', `ADTS cannot carry ${config.codecString}`)
  }
  if (length > adtsLengthMax) {
    throw new AppError('InvalidArgument', `ADTS: a frame of ${frameBytes} bytes is too long`)
  }
  return Uint8Array.of(
    0xff,
    0xf1,
    ((core.type - 1) << 6) | (core.rateIndex << 2) | (core.channelIndex >> 2),
    ((core.channelIndex & 3) << 6) | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc,
  )
}

/**
 * The raw frames (views) of an ADTS stream and the configuration that its first header tells. A frame that
 * is cut at the end is left out; lost sync, a change of configuration and shared headers are refused.
 */
export function splitAdts(bytes: Uint8Array): { config: AudioConfig; frames: Uint8Array[] } {
  const frames: Uint8Array[] = []
  let first: number | undefined
  for (let position = 0; position + adtsHeaderBytes <= bytes.length; ) {
    const [sync, flags, shape, size0, size1, size2, blocks] = bytes.subarray(position, position + 7)
    if (sync !== 0xff || ((flags ?? 0) & 0xf6) !== 0xf0) throw lostSync(position)
    const length = (((size0 ?? 0) & 3) << 11) | ((size1 ?? 0) << 3) | ((size2 ?? 0) >> 5)
    const header = ((flags ?? 0) & 1) === 1 ? adtsHeaderBytes : adtsHeaderBytes + 2
    // profile, rate index and channels, without the private bit
    const key = (((shape ?? 0) & 0xfd) << 2) | (((shape ?? 0) & 1) << 2) | ((size0 ?? 0) >> 6)
    first ??= key
    if (length < header || ((blocks ?? 0) & 3) !== 0 || key !== first) throw lostSync(position)
    if (position + length > bytes.length) break
    if (frames.length === adtsFramesMax) throw refuse(`more than ${adtsFramesMax} frames at once`)
    frames.push(bytes.subarray(position + header, position + length))
    position += length
  }
  if (first === undefined) throw lostSync(0)
  return { config: parseAudioSpecificConfig(configOfAdts(first)), frames }
}

function lostSync(position: number): AppError {
  return new AppError('InvalidArgument', `ADTS: no header that goes on with the stream at byte ${position}`)
}

/** profile 2 | rate index 4 | private 1 | channels 3 of a header, as the two bytes of an AudioSpecificConfig. */
function configOfAdts(key: number): Uint8Array {
  const type = ((key >> 8) & 3) + 1
  const rateIndex = (key >> 4) & 15
  const channels = key & 7
  return Uint8Array.of((type << 3) | (rateIndex >> 1), ((rateIndex & 1) << 7) | (channels << 3))
}
