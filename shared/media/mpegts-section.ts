import { tsStreamsMax } from '../limits.ts'

const sectionBytesMax = 1024 // 2.4.4.1: of the PAT and the PMT, 1021 behind the length.

/** Collects the sections of one PID (ISO/IEC 13818-1, 2.4.4); only whole ones with the right checksum come out. */
export class TsSections {
  #bytes: Uint8Array = new Uint8Array(0)

  push(payload: Uint8Array, start: boolean): Uint8Array[] {
    let next = payload
    if (start) {
      const pointer = payload[0] ?? 0
      const ended = this.#take(payload.subarray(1, 1 + pointer))
      this.#bytes = new Uint8Array(0)
      next = payload.subarray(1 + pointer)
      return [...ended, ...this.#take(next, true)]
    }
    return this.#take(next)
  }

  #take(bytes: Uint8Array, begins = false): Uint8Array[] {
    if (!begins && this.#bytes.length === 0) return [] // Its beginning was not seen.
    const all = new Uint8Array(Math.min(this.#bytes.length + bytes.length, 4 * sectionBytesMax))
    all.set(this.#bytes)
    all.set(bytes.subarray(0, all.length - this.#bytes.length), this.#bytes.length)
    const sections: Uint8Array[] = []
    let at = 0
    while (at + 3 <= all.length && all[at] !== 0xff) {
      const length = 3 + ((((all[at + 1] ?? 0) & 15) << 8) | (all[at + 2] ?? 0))
      if (at + length > all.length) break
      const section = all.subarray(at, at + length)
      if (length <= sectionBytesMax && crc32Mpeg(section) === 0) sections.push(section)
      at += length
    }
    const isStuffing = all[at] === 0xff
    this.#bytes = isStuffing ? new Uint8Array(0) : all.subarray(at)
    return sections
  }
}

/** CRC of Annex A: over a section with its checksum it is 0. */
function crc32Mpeg(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1
  }
  return crc >>> 0
}

/**
 * PAT: PIDs of the programmes' PMTs.
 *
 *   0x00 | length 12 | stream id 16 | version 6 | section 8 | last 8 | (programme 16 | 3 | PID 13)… | CRC 32
 */
export function parsePat(section: Uint8Array): number[] {
  if (section[0] !== 0x00 || !isCurrent(section)) return []
  const pids: number[] = []
  for (let at = 8; at + 4 <= section.length - 4 && pids.length < tsStreamsMax; at += 4) {
    const programme = word(section, at)
    if (programme !== 0) pids.push(word(section, at + 2) & 0x1fff) // 0: the network's own table.
  }
  return pids
}

export type TsStreamKind = 'h264' | 'h265' | 'aac'

// stream_type (Table 2-34); LATM (0x11) is not carried by cameras.
const kinds: Record<number, TsStreamKind> = { 27: 'h264', 36: 'h265', 15: 'aac' }

/**
 * PMT: the first stream of each track.
 *
 *   0x02 | length 12 | programme 16 | version 6 | 8 | 8 | 3, PCR PID 13 | 4, n 12 | n bytes
 *   (type 8 | 3, PID 13 | 4, n 12 | n bytes)… | CRC 32
 */
export function parsePmt(section: Uint8Array): { pid: number; kind: TsStreamKind }[] {
  if (section[0] !== 0x02 || !isCurrent(section)) return []
  const found: { pid: number; kind: TsStreamKind }[] = []
  let at = 12 + (word(section, 10) & 0xfff)
  for (let count = 0; at + 5 <= section.length - 4 && count < tsStreamsMax; count += 1) {
    const kind = kinds[section[at] ?? 0]
    const isSound = kind === 'aac'
    const taken = found.some((stream) => (stream.kind === 'aac') === isSound)
    if (kind && !taken) found.push({ pid: word(section, at + 1) & 0x1fff, kind })
    at += 5 + (word(section, at + 3) & 0xfff)
  }
  return found
}

function isCurrent(section: Uint8Array): boolean {
  return ((section[5] ?? 0) & 1) === 1
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}
