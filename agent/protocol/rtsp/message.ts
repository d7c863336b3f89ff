import { AppError } from '../../../shared/error.ts'
import {
  rtspBodyBytesMax,
  rtspHeaderBytesMax,
  rtspLineBytesMax,
  rtspResyncsMax,
  rtspSkippedBytesMax,
} from '../../../shared/limits.ts'

/** Names in lower case; each with its values in their order. */
export type RtspHeaders = ReadonlyMap<string, readonly string[]>

export type RtspRequest = {
  kind: 'request'
  method: string
  uri: string
  headers: RtspHeaders
  body: Uint8Array
}
export type RtspResponse = {
  kind: 'response'
  status: number
  reason: string
  headers: RtspHeaders
  body: Uint8Array
}
/** RTP or RTCP between the messages; `payload` is a view of what was read. */
export type InterleavedFrame = { kind: 'frame'; channel: number; payload: Uint8Array }
export type RtspMessage = RtspRequest | RtspResponse | InterleavedFrame

/** Where the reading goes on, and what was read; undefined when more bytes are needed. */
type Next = { end: number; message?: RtspMessage } | undefined
type Head = { line: RtspLine; headers: RtspHeaders; bodyAt: number; end: number }
type RtspLine = Omit<RtspRequest, 'headers' | 'body'> | Omit<RtspResponse, 'headers' | 'body'>

const dollar = 0x24
const frameHeaderBytes = 4
const newline = 0x0a
const empty: Buffer = Buffer.alloc(0)

/**
 * Bytes of one RTSP connection, in any split → messages (RFC 2326, sections 4, 6, 7 and 10.12).
 *
 *   METHOD uri RTSP/1.0 │ RTSP/1.0 status reason      lines end with CRLF or LF, the head with an empty one
 *   Name: value …
 *
 *   body (Content-Length bytes)
 *
 *   '$' │ channel u8 │ length u16 │ RTP or RTCP        between two messages
 *
 * What is none of them is skipped up to the next that is one. `InvalidArgument` past a bound; then the connection
 * is of no use any more.
 */
export class RtspParser {
  readonly #isChannel: (channel: number) => boolean
  #bytes: Buffer = empty
  /** The beginning of a message, and of how many bytes it will be; undefined while that is not known. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #needed: number | undefined
  #resyncs = 0
  #skipped = 0
  #inSync = true

  /** `isChannel`: which channels there are: what else begins with a dollar is no frame. */
  constructor(isChannel: (channel: number) => boolean = () => true) {
    this.#isChannel = isChannel
  }

  /** How often the framing was lost. */
  get resyncs(): number {
    return this.#resyncs
  }

  /** What it answers are views of `bytes`: of use until that is written over. */
  push(bytes: Uint8Array): RtspMessage[] {
    const messages: RtspMessage[] = []
    let rest = bytes
    while (this.#waitingBytes > 0 && rest.length > 0) {
      const missing = this.#needed === undefined ? rest.length : this.#needed - this.#waitingBytes
      this.#wait(rest.subarray(0, missing))
      rest = rest.subarray(missing)
      if (this.#needed !== undefined && this.#waitingBytes < this.#needed) return messages
      const split = Buffer.concat(this.#waiting)
      this.#waiting = []
      this.#waitingBytes = 0
      this.#read(split, messages)
    }
    if (rest.length > 0) this.#read(Buffer.from(rest.buffer, rest.byteOffset, rest.length), messages)
    return messages
  }

  #read(bytes: Buffer, messages: RtspMessage[]): void {
    this.#bytes = bytes
    let at = 0
    for (;;) {
      const read = this.#next(at)
      if (read === undefined) break
      at = read.end
      if (read.message) messages.push(read.message)
    }
    this.#bytes = empty
    if (at < bytes.length) this.#wait(bytes.subarray(at))
  }

  /** Copies the beginning of a message that is not there yet. */
  #wait(bytes: Uint8Array): void {
    this.#waiting.push(Buffer.from(bytes))
    this.#waitingBytes += bytes.length
  }

  #next(at: number): Next {
    const first = this.#bytes[at]
    if (first === undefined) return this.#need(1)
    if (first === 0x0d || first === newline) return { end: at + 1 }
    if (first === dollar) return this.#frame(at)
    return this.#text(at)
  }

  #frame(at: number): Next {
    const left = this.#bytes.length - at
    if (left < frameHeaderBytes) return this.#need(frameHeaderBytes)
    const channel = this.#bytes.readUInt8(at + 1)
    if (!this.#isChannel(channel)) return this.#skip(at)
    const start = at + frameHeaderBytes
    const end = start + this.#bytes.readUInt16BE(at + 2)
    if (end > this.#bytes.length) return this.#need(end - at)
    this.#inSync = true
    return { end, message: { kind: 'frame', channel, payload: this.#bytes.subarray(start, end) } }
  }

  #text(at: number): Next {
    const head = this.#head(at)
    if (head === 'none') return this.#skip(at)
    if (head === undefined) return this.#need(undefined)
    const { line, headers, bodyAt, end } = head
    if (end > this.#bytes.length) return this.#need(end - at)
    this.#inSync = true
    return { end, message: { ...line, headers, body: this.#bytes.subarray(bodyAt, end) } }
  }

  /** `none`: no message begins here. */
  #head(at: number): Head | 'none' | undefined {
    const lineEnd = this.#bytes.indexOf(newline, at)
    const length = (lineEnd < 0 ? this.#bytes.length : lineEnd) - at
    if (length > rtspLineBytesMax || !mayBegin(this.#bytes[at])) return 'none'
    if (lineEnd < 0) return undefined
    const line = parseLine(this.#bytes.toString('latin1', at, lineEnd).trimEnd())
    if (!line) return 'none'
    const bodyAt = headEnd(this.#bytes, lineEnd + 1)
    if ((bodyAt ?? this.#bytes.length) - at > rtspHeaderBytesMax) {
      throw new AppError('InvalidArgument', `RTSP: a head of more than ${rtspHeaderBytesMax} bytes`)
    }
    if (bodyAt === undefined) return undefined
    const headers = parseHeaders(this.#bytes.subarray(lineEnd + 1, bodyAt).toString('utf8'))
    return { line, headers, bodyAt, end: bodyAt + bodyLength(headers) }
  }

  #skip(at: number): { end: number } {
    if (this.#inSync) this.#resyncs += 1
    this.#inSync = false
    this.#skipped += 1
    if (this.#resyncs > rtspResyncsMax || this.#skipped > rtspSkippedBytesMax) {
      throw new AppError('InvalidArgument', 'RTSP: the peer sends bytes that are no RTSP')
    }
    return { end: at + 1 }
  }

  #need(bytes: number | undefined): undefined {
    this.#needed = bytes
  }
}

function mayBegin(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a
}

/** Behind the empty line, from the beginning of a line on. */
function headEnd(bytes: Buffer, from: number): number | undefined {
  for (let at = from; ; ) {
    const end = bytes.indexOf(newline, at)
    if (end < 0) return undefined
    if (end === at || (end === at + 1 && bytes[at] === 0x0d)) return end + 1
    at = end + 1
  }
}

function parseLine(line: string): RtspLine | undefined {
  const response = /^RTSP\/\d\.\d +(\d{3})(?: +(.*))?$/.exec(line)
  if (response) return { kind: 'response', status: Number(response[1]), reason: response[2] ?? '' }
  const request = /^([A-Z_]{3,20}) +(\S+) +RTSP\/\d\.\d$/.exec(line)
  if (!request) return undefined
  return { kind: 'request', method: request[1] ?? '', uri: request[2] ?? '' }
}

/** A line that begins with a blank goes on with the one before (RFC 2326, 15.1). */
function parseHeaders(text: string): Map<string, string[]> {
  const headers = new Map<string, string[]>()
  for (const line of text.replace(/\r?\n[ \t]+/g, ' ').split('\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).trim().toLowerCase()
    const values = headers.get(name) ?? []
    values.push(line.slice(colon + 1).trim())
    headers.set(name, values)
  }
  return headers
}

function bodyLength(headers: RtspHeaders): number {
  const text = headers.get('content-length')?.[0] ?? '0'
  const length = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (length <= rtspBodyBytesMax) return length
  throw new AppError(
    'InvalidArgument',
    `RTSP: a body of ${text.slice(0, 20)} bytes, ${rtspBodyBytesMax} are taken`,
  )
}

type Fields = Readonly<Record<string, string | number | undefined>>

/** Line breaks in a value end it: nobody writes a header of his own into ours. */
function headLines(first: string, fields: Fields, body: string): Uint8Array {
  const lines = Object.entries({ ...fields, ...(body ? { 'Content-Length': Buffer.byteLength(body) } : {}) })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${String(value).replace(/[\r\n].*/s, '')}\r\n`)
  return Buffer.from(`${first}\r\n${lines.join('')}\r\n${body}`)
}

export function formatRequest(method: string, uri: string, fields: Fields, body = ''): Uint8Array {
  return headLines(`${method} ${uri} RTSP/1.0`, fields, body)
}

export function formatResponse(status: number, reason: string, fields: Fields, body = ''): Uint8Array {
  return headLines(`RTSP/1.0 ${status} ${reason}`, fields, body)
}

/** The four bytes before a packet on the connection. */
export function frameHeader(channel: number, length: number): Uint8Array {
  return Uint8Array.of(dollar, channel, length >> 8, length & 0xff)
}
