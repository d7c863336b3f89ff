/** Names of FFmpeg's demuxers: a file is read by the one that its first bytes name, never by one that FFmpeg guesses. */
export type Container = 'mov' | 'avi' | 'matroska' | 'mp3' | 'wav' | 'aac' | 'ogg' | 'flac'

const videoContainers: ReadonlySet<Container> = new Set(['mov', 'avi', 'matroska'])

export const holdsVideo = (container: Container) => videoContainers.has(container)

/** So many bytes are looked at. */
export const containerHeadBytes = 64

/** First boxes of ISO/IEC 14496-12 and of QuickTime files. */
const firstBoxes: ReadonlySet<string> = new Set(['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot'])

/** By magic bytes; undefined for everything that is not a film or a sound of the formats taken: a playlist, an SVG, a list of files. */
export function containerOf(head: Uint8Array): Container | undefined {
  const text = (from: number, to: number) => Buffer.from(head.subarray(from, to)).toString('latin1')
  if (firstBoxes.has(text(4, 8))) return 'mov'
  if (text(0, 4) === 'RIFF')
    return text(8, 12) === 'AVI ' ? 'avi' : text(8, 12) === 'WAVE' ? 'wav' : undefined
  if (text(0, 4) === '\x1a\x45\xdf\xa3') return /matroska|webm/.test(text(4, 64)) ? 'matroska' : undefined
  if (text(0, 4) === 'OggS') return 'ogg'
  if (text(0, 4) === 'fLaC') return 'flac'
  if (text(0, 3) === 'ID3') return 'mp3' // A tag that FFmpeg's mp3 reads over; before FLAC or AAC it is against their own rules.
  return frameSync(head)
}

/** MPEG audio without a container: 11 or 12 set bits, then a layer: 0 is ADTS. */
function frameSync([first = 0, second = 0, third = 0]: Uint8Array): Container | undefined {
  if (first !== 0xff || (second & 0xe0) !== 0xe0) return undefined
  if ((second & 0xf6) === 0xf0) return 'aac'
  const [version, layer, bitrate, rate] = [(second >> 3) & 3, (second >> 1) & 3, third >> 4, (third >> 2) & 3]
  return version !== 1 && layer !== 0 && bitrate !== 15 && rate !== 3 ? 'mp3' : undefined
}
