import { AppError } from '../../shared/error.ts'
import { cameraUriCharsMax } from '../../shared/limits.ts'
import { cameraName } from './camera-name.ts'
import { type CameraTrack, cameraTracks } from './camera-track.ts'
import { redactUri } from './redact.ts'
import { type VendorPaths, vendorPaths } from './vendor-paths.ts'

export const cameraKinds = ['rtsp', 'rtsps', 'hik', 'dahua', 'http', 'https', 'file'] as const
export type CameraKind = (typeof cameraKinds)[number]

/** Where a camera is and how to log in. `user` and `password` are secrets: only `display` is for people. */
export type CameraUri = {
  kind: CameraKind
  /** Name or address, IPv6 without brackets; empty for a file. */
  host: string
  /** Of the connection that carries the media; 0 for a file. */
  port: number
  /** Decoded; undefined when there are none. */
  user: string | undefined
  password: string | undefined
  channel: number
  track: CameraTrack
  /** The tracks that a `hik` or `dahua` address names; otherwise the one. */
  tracks: readonly CameraTrack[]
  /** Without credentials: what goes into the request line. For `rtsp`, `rtsps`, `hik` and `dahua`. */
  rtspUrl?: string
  /** Without credentials. For `http` and `https`. */
  httpUrl?: string
  /** Without credentials: a JPEG of now. For `hik` and `dahua`. */
  stillUrl?: string
  /** For `file`: absolute. */
  path?: string
  /** The address without credentials. */
  display: string
  /** `cam-<host>-<channel>-<track>`, a valid name of a stream. */
  name: string
}

type Parts = { kind: CameraKind; rest: string; display: string }
type Login = { user: string | undefined; password: string | undefined }

/**
 * `rtsp[s]://[user:pass@]host[:port]/path`, `http[s]://…`, `file:///path`, and
 * `hik|dahua://host[:port]/user:pass@main,sub[?channel=1&rtsp=554&http=80]` (docs/protocols.md, camera addresses).
 * User and password are percent-decoded; one that holds `/` or `@` is understood as it is where that is clear.
 * `track` chooses one of the tracks. InvalidArgument, without the credentials, for what is none of these.
 */
export function parseCameraUri(text: string, track?: CameraTrack): CameraUri {
  const parts = splitScheme(text.trim())
  if (parts.kind === 'file') return fileUri(parts)
  if (parts.kind === 'hik' || parts.kind === 'dahua') return vendorUri(parts, track)
  return plainUri(parts, track)
}

function splitScheme(text: string): Parts {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text)
  const kind = cameraKinds.find((known) => known === match?.[1]?.toLowerCase())
  if (!match || !kind) {
    const known = cameraKinds.map((scheme) => `${scheme}://`).join(', ')
    const given = match ? `"${match[1]?.slice(0, 20)}://" is not known` : 'an address needs a scheme'
    throw new AppError('InvalidArgument', `camera address: ${given}; known are ${known}`, {
      zh: `摄像机地址的协议不受支持；支持的有：${known}。`,
    })
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a line break would end a request line.
  if (text.length > cameraUriCharsMax || /[\x00-\x1f\x7f]/.test(text))
    throw malformed(kind, 'is not one line')
  return { kind, rest: match[2] ?? '', display: redactUri(text) }
}

function malformed(kind: CameraKind, why: string): AppError {
  const vendor = kind === 'hik' || kind === 'dahua'
  const form = vendor ? `${kind}://host:port/user:pass@main,sub` : `${kind}://user:pass@host:port/path`
  return new AppError('InvalidArgument', `camera address: it ${why}; the form is ${form}`, {
    zh: `摄像机地址有误；格式为 ${form}。`,
  })
}

const hostPort = /^(\[[0-9a-f:.]+(?:%25[a-z0-9]+)?\]|[a-z0-9](?:[a-z0-9._-]{0,252}))(?::([0-9]{1,5}))?$/i

function parseHost(kind: CameraKind, text: string, defaultPort: number) {
  const match = hostPort.exec(text)
  const port = match?.[2] === undefined ? defaultPort : Number(match[2])
  if (!match?.[1] || port < 1 || port > 65_535) throw malformed(kind, 'has no host and port that can be read')
  return { host: match[1].replace(/^\[|\]$/g, '').toLowerCase(), port }
}

/** `user:pass`; the first colon divides. What is no percent-encoding stands for itself. */
function parseLogin(text: string | undefined): Login {
  if (text === undefined) return { user: undefined, password: undefined }
  const colon = text.indexOf(':')
  if (colon < 0) return { user: decode(text), password: '' }
  return { user: decode(text.slice(0, colon)), password: decode(text.slice(colon + 1)) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

const defaultPorts: Record<string, number> = { rtsp: 554, rtsps: 322, http: 80, https: 443 }

function plainUri({ kind, rest, display }: Parts, asked: CameraTrack | undefined): CameraUri {
  const { login, authority, path: given } = splitAuthority(rest)
  const path = given.replace(/#.*$/s, '')
  const usual = defaultPorts[kind] ?? 0
  const { host, port } = parseHost(kind, authority, usual)
  const url = `${kind}://${bracketed(host)}${port === usual ? '' : `:${port}`}${requestPath(path)}`
  const known = knownPath(path)
  const track = asked ?? known?.track ?? 'main'
  const channel = known?.channel ?? 1
  const place = port === usual ? host : `${host}.${port}`
  return {
    ...{ kind, host, port, ...parseLogin(login), channel, track, tracks: [track] },
    ...(kind === 'rtsp' || kind === 'rtsps' ? { rtspUrl: url } : { httpUrl: url }),
    display,
    name: cameraName(place, known ? String(channel) : path, track),
  }
}

/** The authority ends at the first slash, unless it is none and an `@` behind the slash makes it one. */
function splitAuthority(rest: string) {
  const slash = rest.search(/[/?]/)
  const end = slash < 0 ? rest.length : slash
  const near = rest.lastIndexOf('@', end - 1)
  if (near >= 0 || hostPort.test(rest.slice(0, end)) || !rest.includes('@')) {
    return split(rest, near, end)
  }
  const far = rest.lastIndexOf('@')
  const next = rest.slice(far).search(/[/?]/)
  return split(rest, far, next < 0 ? rest.length : far + next)
}

function split(rest: string, at: number, end: number) {
  const login = at < 0 ? undefined : rest.slice(0, at)
  return { login, authority: rest.slice(at + 1, end), path: rest.slice(end) }
}

/** What a request line may hold: no space, nothing outside ASCII. */
function requestPath(path: string): string {
  return path.replace(/[^\x21-\x7e]+/gu, (found) => encodeURIComponent(found)) || '/'
}

/** Channel and track, where an address is written in a maker's own way. */
function knownPath(path: string): { channel: number; track: CameraTrack } | undefined {
  const hik = /\/streaming\/(?:channels|tracks)\/([0-9]{1,3})0([1-3])(?:[/?]|$)/i.exec(path)
  if (hik) return { channel: Number(hik[1]), track: cameraTracks[Number(hik[2]) - 1] ?? 'main' }
  const dahua = /\/cam\/realmonitor\?(?=.*\bchannel=([0-9]{1,3}))(?=.*\bsubtype=([0-2]))/i.exec(path)
  if (dahua) return { channel: Number(dahua[1]), track: cameraTracks[Number(dahua[2])] ?? 'main' }
  return undefined
}

const sdkPorts = { hik: 8000, dahua: 37_777 }

function vendorUri({ kind, rest, display }: Parts, asked: CameraTrack | undefined): CameraUri {
  const vendor = kind === 'hik' ? 'hik' : 'dahua'
  const slash = rest.indexOf('/')
  if (slash < 0) throw malformed(kind, 'names no track')
  const { host, port: sdkPort } = parseHost(kind, rest.slice(0, slash), sdkPorts[vendor])
  const behind = rest.slice(slash + 1)
  const at = behind.lastIndexOf('@')
  const [list = '', query = ''] = behind
    .slice(at + 1)
    .replace(/#.*$/s, '')
    .split('?', 2)
  const tracks = parseTracks(kind, list)
  const track = asked ?? tracks[0] ?? 'main'
  if (!tracks.includes(track)) {
    throw new AppError('InvalidArgument', `camera address: it names ${tracks.join(' and ')}, not ${track}`)
  }
  const { channel, rtsp, http } = vendorQuery(kind, query, sdkPort === sdkPorts[vendor])
  const paths: VendorPaths = vendorPaths(vendor, channel, track)
  return {
    ...{
      kind,
      host,
      port: rtsp,
      ...parseLogin(at < 0 ? undefined : behind.slice(0, at)),
      channel,
      track,
      tracks,
    },
    rtspUrl: `rtsp://${bracketed(host)}${rtsp === 554 ? '' : `:${rtsp}`}${paths.live}`,
    stillUrl: `http://${bracketed(host)}${http === 80 ? '' : `:${http}`}${paths.still}`,
    display,
    name: cameraName(rtsp === 554 ? host : `${host}.${rtsp}`, String(channel), track),
  }
}

function parseTracks(kind: CameraKind, list: string): CameraTrack[] {
  const tracks = list === '' ? ['main'] : list.toLowerCase().split(',')
  return tracks.map((text) => {
    const track = cameraTracks.find((known) => known === text.trim())
    if (track) return track
    throw malformed(kind, `names a track that is none of ${cameraTracks.join(', ')}`)
  })
}

/** Without the maker's SDK its port is of no use: the usual others are taken only beside the usual one. */
function vendorQuery(kind: CameraKind, query: string, usual: boolean) {
  const given = new URLSearchParams(query)
  const number = (key: string, otherwise: number, max: number) => {
    const value = given.get(key)
    if (value === null) return otherwise
    if (!/^[0-9]{1,5}$/.test(value) || Number(value) < 1 || Number(value) > max) {
      throw malformed(kind, `has a ${key} that is no number of one`)
    }
    return Number(value)
  }
  if (!usual && !given.has('rtsp')) {
    throw malformed(kind, `has a port of its own: add ?rtsp=554&http=80 with the camera's`)
  }
  return {
    channel: number('channel', 1, 999),
    rtsp: number('rtsp', 554, 65_535),
    http: number('http', 80, 65_535),
  }
}

function fileUri({ kind, rest, display }: Parts): CameraUri {
  const path = decode(rest.replace(/^localhost(?=\/)/i, ''))
  if (!path.startsWith('/') || path.includes('\0')) throw malformed(kind, 'is no absolute path')
  return {
    ...{ kind, host: '', port: 0, user: undefined, password: undefined },
    ...{ channel: 1, track: 'main', tracks: ['main'], path, display, name: cameraName('file', path, 'main') },
  }
}
