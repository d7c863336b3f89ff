import { AppError } from '../../error.ts'
import type { AudioConfig, CodecConfig, VideoConfig } from '../access-unit.ts'
import { encodeAvcC, encodeHvcC } from '../codec-config.ts'
import { box, fullBox, type Part, text, u8, u16, u32 } from './box.ts'

/** The `stsd` box: one sample entry, as a movie of ours never changes its codec configuration. */
export function sampleDescription(config: CodecConfig): Uint8Array[] {
  return fullBox('stsd', 0, 0, u32(1), config.track === 'video' ? videoEntry(config) : audioEntry(config))
}

/** VisualSampleEntry (ISO/IEC 14496-12, 12.1.3) with avcC or hvcC (14496-15). */
function videoEntry(config: VideoConfig): Uint8Array[] {
  const compressor = new Uint8Array(32)
  const body: Part = [
    new Uint8Array(6),
    u16(1), // Data reference.
    new Uint8Array(16),
    u16(config.width, config.height),
    u32(0x00480000, 0x00480000, 0), // 72 dpi.
    u16(1), // Pictures a sample.
    compressor,
    u16(24, 0xffff),
  ]
  if (config.codec === 'h264') return box('avc1', body, box('avcC', encodeAvcC(config)))
  if (config.codec === 'h265') return box('hvc1', body, box('hvcC', encodeHvcC(config)))
  throw new AppError('InvalidArgument', `MP4: ${config.codec} pictures are not written here`)
}

/** AudioSampleEntry (ISO/IEC 14496-12, 12.2.3). Rates above 16 bits do not fit and are left 0, as is usual. */
function audioEntry(config: AudioConfig): Uint8Array[] {
  const rate = config.sampleRate < 65536 ? config.sampleRate : 0
  const body: Part = [
    new Uint8Array(6),
    u16(1),
    new Uint8Array(8),
    u16(config.channels, 16, 0, 0),
    u16(rate, 0),
  ]
  if (config.codec === 'aac') return box('mp4a', body, elementaryStream(config.specificConfig))
  if (config.codec === 'g711a') return box('alaw', body)
  if (config.codec === 'g711u') return box('ulaw', body)
  throw new AppError('InvalidArgument', `MP4: ${config.codec} sound is not written, convert it to AAC first`)
}

/** The `esds` box: ES descriptor 3 { decoder configuration 4 { specific info 5 }, SL 6 } (ISO/IEC 14496-1, 7.2.6). */
function elementaryStream(specificConfig: Uint8Array): Uint8Array[] {
  const aac = 0x40
  const audioStream = 0x15
  const decoder = descriptor(
    4,
    u8(aac, audioStream, 0, 0, 0), // Buffer size: unknown.
    u32(0, 0), // Largest and mean bit rate: unknown.
    descriptor(5, specificConfig),
  )
  return fullBox('esds', 0, 0, descriptor(3, u16(0), u8(0), decoder, descriptor(6, u8(2))))
}

function descriptor(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts)
  const size = body.length
  if (size >= 2 ** 14) throw new AppError('InvalidArgument', `MP4: an audio configuration of ${size} bytes`)
  return Buffer.concat([u8(tag, 0x80 | (size >> 7), size & 0x7f), body])
}

/** The `hdlr`, media header and data reference that every track of its kind has. */
export function handler(config: CodecConfig): Uint8Array[] {
  const [type, label] = config.track === 'video' ? ['vide', 'video'] : ['soun', 'sound']
  return fullBox('hdlr', 0, 0, u32(0), text(type ?? ''), new Uint8Array(12), text(`${label}\0`))
}

export function mediaHeader(config: CodecConfig): Uint8Array[] {
  return config.track === 'video'
    ? fullBox('vmhd', 0, 1, new Uint8Array(8))
    : fullBox('smhd', 0, 0, new Uint8Array(4))
}

export function dataInformation(): Uint8Array[] {
  return box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1)))
}
