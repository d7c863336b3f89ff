import { tsUnitBytesMax } from '../limits.ts'

/** What one PES packet carries. Stamps are of 33 bits at 90 kHz, as they were sent. */
export type PesPacket = {
  pts: number | undefined
  dts: number | undefined
  /** Its own memory: nothing else refers to it. */
  payload: Uint8Array
  /** Bytes are missing in it. */
  damaged: boolean
  /** Packets are missing before it. */
  lossBefore: boolean
}

// Packets may be all stuffing but for a byte: what they hold is bounded too.
const packetsMax = (2 * tsUnitBytesMax) / 188

/**
 * Joins the packets of one PID to PES packets (ISO/IEC 13818-1, 2.4.3.6). Bounded: what grows beyond a picture's
 * size is dropped.
 *
 *   00 00 01 | id 8 | length 16 | 10.. | PTS 1, DTS 1 … | header length 8 | header | payload
 */
export class PesStream {
  #chunks: Uint8Array[] = []
  #bytes = 0
  /** Of the whole packet; undefined: until the next begins. */
  #wanted: number | undefined
  #continuity: number | undefined
  #damaged = false
  #lossBefore = false
  #lost = 0

  /** How many PES packets were dropped because they could not be read. */
  get lost(): number {
    return this.#lost
  }

  push(payload: Uint8Array, start: boolean, continuity: number, discontinuity: boolean): PesPacket[] {
    if (continuity === this.#continuity) return [] // 2.4.3.3: a packet may be sent twice.
    const isNext = this.#continuity === undefined || continuity === ((this.#continuity + 1) & 15)
    const isLoss = !isNext && !discontinuity
    if (isLoss) this.#damaged = true
    this.#continuity = continuity
    const done = start ? this.end() : []
    if (start) this.#begin(payload, isLoss)
    if (this.#chunks.length === 0 && !start) return done // Its beginning was not seen.
    this.#add(payload)
    return this.#wanted !== undefined && this.#bytes >= this.#wanted ? [...done, ...this.end()] : done
  }

  /** Nothing more comes of the packet that is open. */
  end(): PesPacket[] {
    if (this.#chunks.length === 0) return []
    const bytes = concat(this.#chunks, this.#bytes).subarray(0, this.#wanted)
    const isShort = this.#wanted !== undefined && this.#bytes < this.#wanted
    const packet = parsePes(bytes, { damaged: this.#damaged || isShort, lossBefore: this.#lossBefore })
    this.#drop()
    this.#damaged = false
    this.#lossBefore = packet === undefined
    if (packet) return [packet]
    this.#lost += 1
    return []
  }

  #begin(payload: Uint8Array, isLoss: boolean): void {
    this.#lossBefore = isLoss || this.#lossBefore
    const length = ((payload[4] ?? 0) << 8) | (payload[5] ?? 0)
    this.#wanted = length === 0 ? undefined : 6 + length
    this.#damaged = false
  }

  #add(payload: Uint8Array): void {
    this.#chunks.push(payload)
    this.#bytes += payload.length
    if (this.#bytes <= tsUnitBytesMax && this.#chunks.length <= packetsMax) return
    this.#drop()
    this.#lossBefore = true
    this.#lost += 1
  }

  #drop(): void {
    this.#chunks = []
    this.#bytes = 0
    this.#wanted = undefined
  }
}

function concat(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

function parsePes(bytes: Uint8Array, harm: Pick<PesPacket, 'damaged' | 'lossBefore'>): PesPacket | undefined {
  const isPes = bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 1 && ((bytes[6] ?? 0) & 0xc0) === 0x80
  const from = 9 + (bytes[8] ?? 0)
  if (!isPes || from >= bytes.length) return undefined
  const flags = (bytes[7] ?? 0) >> 6
  const pts = flags >= 2 ? stamp(bytes, 9) : undefined
  const dts = flags === 3 ? stamp(bytes, 14) : pts
  return { pts, dts, payload: bytes.subarray(from), ...harm }
}

/** 4 bits | 32..30 | 1 | 29..15 | 1 | 14..0 | 1, a number beyond 32 bits. */
function stamp(bytes: Uint8Array, at: number): number | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = bytes.subarray(at, at + 5)
  if (at + 5 > bytes.length || (a & 1) === 0 || (c & 1) === 0 || (e & 1) === 0) return undefined
  return ((a >> 1) & 7) * 2 ** 30 + (b << 22) + ((c >> 1) << 15) + (d << 7) + (e >> 1)
}
