import { AppError } from '../../../shared/error.ts'
import { rtspMediasMax } from '../../../shared/limits.ts'
import { parseAudioSpecificConfig } from '../../../shared/media/aac.ts'
import type { AudioConfig } from '../../../shared/media/access-unit.ts'
import { parseStreamMuxConfig } from './latm.ts'

/** RFC 3640: how the headers of AAC frames are written. Bits. */
export type AacLayout = { sizeLength: number; indexLength: number; indexDeltaLength: number }

export type VideoFormat = {
  track: 'video'
  codec: 'h264' | 'h265'
  clockRate: number
  /** Without start codes; empty when the camera sends them in band. */
  parameterSets: Uint8Array[]
}
export type AudioFormat = {
  track: 'audio'
  clockRate: number
  config: AudioConfig
  /** Of AAC by RFC 3640. */
  layout?: AacLayout
  /** Of AAC by RFC 6416: frames in one AudioMuxElement. */
  latmFrames?: number
}

export type SdpMedia = {
  /** `video`, `audio`, `application` … */
  kind: string
  payloadType: number
  /** As the camera names it: `H264`. */
  encoding: string
  /** The address for SETUP. */
  control: string
  /** Undefined: of a kind that is not taken; `refused` says why, if it says something wrong of itself. */
  format?: VideoFormat | AudioFormat
  refused?: string
}

export type SdpSession = {
  /** The address for PLAY. */
  control: string
  medias: SdpMedia[]
}

type Lines = { type: string; value: string }[]

/**
 * The answer to DESCRIBE (RFC 4566; control: RFC 2326, appendix C.1) → what there is to set up.
 *
 * `base`: Content-Base, else Content-Location, else the address that was asked. InvalidArgument for what is no SDP
 * or holds no media at all.
 */
export function parseSdp(text: string, base: string): SdpSession {
  const lines: Lines = text.split(/\r\n|\n|\r/).flatMap((line) => {
    const [, type = '', value = ''] = /^([a-z])=(.*)$/.exec(line.trim()) ?? []
    return type ? [{ type, value }] : []
  })
  const starts = lines.flatMap(({ type }, at) => (type === 'm' ? [at] : []))
  const [first] = starts
  if (first === undefined) {
    throw new AppError('InvalidArgument', 'the camera describes no media: its SDP has none', {
      zh: '摄像机未描述任何媒体：SDP 为空。',
    })
  }
  if (starts.length > rtspMediasMax) {
    throw new AppError(
      'InvalidArgument',
      `the camera describes ${starts.length} media, ${rtspMediasMax} are taken`,
    )
  }
  const control = resolveControl(attribute(lines.slice(0, first), 'control') ?? '*', base)
  return {
    control,
    medias: starts.map((at, i) => parseMedia(lines.slice(at, starts[i + 1] ?? lines.length), control)),
  }
}

function attribute(lines: Lines, name: string): string | undefined {
  const found = lines.find(({ type, value }) => type === 'a' && value.startsWith(`${name}:`))
  return found?.value.slice(name.length + 1).trim()
}

/** Appended as cameras mean it, not as RFC 3986 resolves it: `rtsp://h/cam?channel=1/` + `trackID=0`. */
function resolveControl(control: string, base: string): string {
  if (control === '*' || control === '') return base
  if (/^rtsps?:\/\//i.test(control)) return control
  return `${base}${base.endsWith('/') || control.startsWith('/') ? '' : '/'}${base.endsWith('/') ? control.replace(/^\//, '') : control}`
}

/** `m=video 0 RTP/AVP 96`: of several payload types the first is what is sent. */
function parseMedia(lines: Lines, base: string): SdpMedia {
  const [kind = '', , , first = ''] = (lines[0]?.value ?? '').split(/\s+/)
  const payloadType = /^\d{1,3}$/.test(first) ? Number(first) : -1
  const mapped = lines
    .filter(({ type, value }) => type === 'a' && value.startsWith('rtpmap:'))
    .map(({ value }) => /^rtpmap:(\d+)\s+([^/\s]+)(?:\/(\d+))?(?:\/(\d+))?/.exec(value))
    .find((match) => Number(match?.[1]) === payloadType)
  const known = staticTypes[payloadType]
  const encoding = mapped?.[2] ?? known?.encoding ?? ''
  const map = {
    encoding: encoding.toUpperCase(),
    clockRate: Number(mapped?.[3] ?? known?.clockRate ?? 0),
    channels: Number(mapped?.[4] ?? 1),
    fmtp: formatParameters(lines, payloadType),
  }
  const media = {
    kind,
    payloadType,
    encoding,
    control: resolveControl(attribute(lines, 'control') ?? '*', base),
  }
  try {
    const format = formatOf(map)
    return format ? { ...media, format } : media
  } catch (cause) {
    return { ...media, refused: AppError.from(cause).message }
  }
}

// RFC 3551, tables 4 and 5. Those that are not read are here so that a refusal can name them.
const staticTypes: Record<number, { encoding: string; clockRate: number }> = {
  0: { encoding: 'PCMU', clockRate: 8000 },
  8: { encoding: 'PCMA', clockRate: 8000 },
  9: { encoding: 'G722', clockRate: 8000 },
  14: { encoding: 'MPA', clockRate: 90_000 },
  26: { encoding: 'JPEG', clockRate: 90_000 },
  32: { encoding: 'MPV', clockRate: 90_000 },
  33: { encoding: 'MP2T', clockRate: 90_000 },
  34: { encoding: 'H263', clockRate: 90_000 },
}

type RtpMap = { encoding: string; clockRate: number; channels: number; fmtp: ReadonlyMap<string, string> }

/** `a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z00…,aO4…`: names in lower case. */
function formatParameters(lines: Lines, payloadType: number): Map<string, string> {
  const prefix = new RegExp(`^fmtp:${payloadType}\\s+`)
  const found = lines.find(({ type, value }) => type === 'a' && prefix.test(value))
  const pairs = (found?.value.replace(prefix, '') ?? '').split(';').map((part) => {
    const equals = part.indexOf('=')
    const [name, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)]
    return [name.trim().toLowerCase(), value.trim()] as const
  })
  return new Map(pairs)
}

function formatOf(map: RtpMap): VideoFormat | AudioFormat | undefined {
  const { encoding, clockRate } = map
  if (!['H264', 'H265', 'HEVC', 'MPEG4-GENERIC', 'MP4A-LATM', 'PCMA', 'PCMU'].includes(encoding))
    return undefined
  if (!(clockRate >= 1000 && clockRate <= 1_000_000)) {
    throw new AppError(
      'InvalidArgument',
      `the camera says that the clock of ${encoding} runs at ${clockRate} Hz`,
    )
  }
  if (encoding === 'H264') return videoFormat('h264', clockRate, map.fmtp, ['sprop-parameter-sets'])
  if (encoding === 'H265' || encoding === 'HEVC') {
    return videoFormat('h265', clockRate, map.fmtp, ['sprop-vps', 'sprop-sps', 'sprop-pps'])
  }
  if (encoding === 'MPEG4-GENERIC') return aacFormat(map)
  return encoding === 'MP4A-LATM' ? latmFormat(map) : g711Format(map)
}

function videoFormat(
  codec: 'h264' | 'h265',
  clockRate: number,
  fmtp: ReadonlyMap<string, string>,
  names: readonly string[],
): VideoFormat {
  const reordered = fmtp.get('packetization-mode') === '2' || Number(fmtp.get('sprop-max-don-diff') ?? 0) > 0
  if (reordered) {
    throw new AppError(
      'InvalidArgument',
      'the camera sends its packets in another order than that of decoding, which is not read: turn interleaving off',
    )
  }
  const sets = names.flatMap((name) => (fmtp.get(name) ?? '').split(','))
  const parameterSets = sets
    .map((text) => withoutStartCode(Uint8Array.from(Buffer.from(text.trim(), 'base64'))))
    .filter((set) => set.length > 2)
  return { track: 'video', codec, clockRate, parameterSets }
}

/** Some cameras write `00 00 00 01` before their parameter sets. */
function withoutStartCode(set: Uint8Array): Uint8Array {
  if (set[0] !== 0 || set[1] !== 0) return set
  const one = set.indexOf(1)
  return one === 2 || one === 3 ? set.subarray(one + 1) : set
}

function aacFormat({ clockRate, fmtp }: RtpMap): AudioFormat {
  const mode = fmtp.get('mode')?.toLowerCase() ?? 'aac-hbr'
  if (mode !== 'aac-hbr' && mode !== 'aac-lbr') {
    throw new AppError(
      'InvalidArgument',
      `the camera sends sound in the mode ${mode.slice(0, 40)}, which is not read`,
    )
  }
  const text = fmtp.get('config') ?? ''
  if (!/^([0-9a-f]{2}){2,256}$/i.test(text)) {
    throw new AppError('InvalidArgument', 'the camera sends AAC and does not say how it is configured')
  }
  const config = parseAudioSpecificConfig(Uint8Array.from(Buffer.from(text, 'hex')))
  const [size, index] = mode === 'aac-hbr' ? [13, 3] : [6, 2]
  const indexLength = bits(fmtp, 'indexlength', index)
  const layout = {
    sizeLength: bits(fmtp, 'sizelength', size),
    indexLength,
    indexDeltaLength: bits(fmtp, 'indexdeltalength', indexLength),
  }
  if (layout.sizeLength === 0)
    throw new AppError('InvalidArgument', 'the camera sends AAC frames without their sizes')
  return { track: 'audio', clockRate, config, layout }
}

function latmFormat({ clockRate, fmtp }: RtpMap): AudioFormat {
  if ((fmtp.get('cpresent') ?? '1') !== '0') {
    throw new AppError(
      'InvalidArgument',
      'the camera sends LATM with its configuration in band, which is not read',
    )
  }
  const text = fmtp.get('config') ?? ''
  if (!/^([0-9a-f]{2}){4,256}$/i.test(text)) {
    throw new AppError('InvalidArgument', 'the camera sends LATM and does not say how it is configured')
  }
  const { config, frames } = parseStreamMuxConfig(Uint8Array.from(Buffer.from(text, 'hex')))
  return { track: 'audio', clockRate, config, latmFrames: frames }
}

function bits(fmtp: ReadonlyMap<string, string>, name: string, usual: number): number {
  const text = fmtp.get(name)
  if (text === undefined) return usual
  if (/^\d{1,2}$/.test(text) && Number(text) <= 16) return Number(text)
  throw new AppError('InvalidArgument', `the camera says ${name}=${text.slice(0, 20)}: 0 to 16 bits are read`)
}

function g711Format({ encoding, clockRate, channels }: RtpMap): AudioFormat {
  const codec = encoding === 'PCMA' ? 'g711a' : 'g711u'
  if (!(channels >= 1 && channels <= 8)) {
    throw new AppError('InvalidArgument', `the camera says that its sound has ${channels} channels`)
  }
  const shape = { sampleRate: clockRate, channels, frameSamples: 0 }
  const none = new Uint8Array(0)
  return {
    track: 'audio',
    clockRate,
    config: { track: 'audio', codec, specificConfig: none, ...shape, codecString: codec },
  }
}
