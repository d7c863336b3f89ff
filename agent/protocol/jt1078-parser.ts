import {
  vehicleResyncsMax,
  vehicleSkippedBytesMax,
  vehicleSteadyPackets,
} from '../../shared/vehicle-limits.ts'
import { GrowingBytes } from './growing-bytes.ts'
import type { Jt1078Packet } from './jt1078.ts'
import { isLikely, type Jt1078Version, jt1078Magic, measureJt1078, readJt1078 } from './jt1078-header.ts'

/** What stands behind a packet, if the bytes are read as one version. */
type Fit = 'match' | 'mismatch' | 'wait'

type Reading = { version: Jt1078Version; fit: Fit; size: number }

const versions = [2016, 2019] as const

/**
 * The packets of one connection, out of bytes that are cut anywhere: how they are cut changes nothing.
 *
 * The version is told by structure, never by the SIM: the one by which the next packet begins exactly where the first
 * ends. It is decided once, and again after each loss of the framing; until then a packet waits for the four
 * bytes behind it (`settle`). Then the next magic is looked for, within bounds (`hopeless`).
 *
 * Invariant: what is kept is less than one packet of the largest length and the magic behind it.
 */
export class Jt1078Parser {
  readonly figures = { packets: 0, resyncs: 0, skippedBytes: 0 }
  #version: Jt1078Version | undefined
  #formerVersion: Jt1078Version = 2016
  #synced = true
  #resyncs = 0
  #packetsSinceLoss = 0
  #skippedSincePacket = 0
  readonly #rest = new GrowingBytes()

  /** Undefined until it is known. */
  get version(): Jt1078Version | undefined {
    return this.#version
  }

  get bufferedBytes(): number {
    return this.#rest.length
  }

  /** The framing was lost so often, or for so long, that this is not JT/T 1078. */
  get hopeless(): boolean {
    return this.#resyncs > vehicleResyncsMax || this.#skippedSincePacket > vehicleSkippedBytesMax
  }

  /** Never throws. `piece` is not written to any more: bodies are views of it. */
  push(piece: Buffer): Jt1078Packet[] {
    if (this.#rest.length === 0) return this.#read(piece, piece, false)
    this.#rest.append(piece)
    return this.#read(this.#rest.view(), undefined, false)
  }

  /** Nothing follows for now: a packet whose version is not known is complete if the bytes end with it. */
  settle(): Jt1078Packet[] {
    return this.#version === undefined ? this.#read(this.#rest.view(), undefined, true) : []
  }

  /** `piece`: where the bytes are from, if not from `#rest`. */
  #read(bytes: Buffer, piece: Buffer | undefined, isEnd: boolean): Jt1078Packet[] {
    const packets: Jt1078Packet[] = []
    let at = 0
    while (at < bytes.length && !this.hopeless) {
      const next = this.#step(bytes, at, isEnd, packets)
      if (next === at) break
      at = next
    }
    if (at === 0 && !piece && !this.hopeless) return packets
    if (!piece) this.#rest.take() // Bodies are views of it.
    if (at < bytes.length && !this.hopeless) this.#rest.append(bytes.subarray(at))
    return packets
  }

  /** Where to go on; `at` when more must come first. */
  #step(bytes: Buffer, at: number, isEnd: boolean, packets: Jt1078Packet[]): number {
    if (!isMagic(bytes, at))
      return bytes.length - at < 4 && isMagicSoFar(bytes, at) ? at : this.#skip(bytes, at)
    const version = this.#version ?? this.#decide(bytes, at, isEnd)
    if (version === 'wait') return at
    const size = version === 'none' ? 'invalid' : measureJt1078(bytes, at, version)
    if (version === 'none' || size === 'invalid') return this.#skip(bytes, at)
    if (size === 'short' || at + size > bytes.length) return at
    this.#version = version
    this.#found()
    packets.push(readJt1078(bytes, at, version))
    return at + size
  }

  /** The reading that ends first decides first, so that it does not matter how much is there already. */
  #decide(bytes: Buffer, at: number, isEnd: boolean): Jt1078Version | 'wait' | 'none' {
    const readings = versions.map((version) => readAs(version, bytes, at, isEnd))
    const [first, second] = readings.sort((a, b) => a.size - b.size)
    if (!first || !second) return 'none'
    if (first.size === second.size && first.fit === 'match') return this.#likelier(bytes, at)
    if (first.fit === 'match') return first.version
    if (first.fit === 'wait') return 'wait'
    if (second.fit === 'match') return second.version
    return second.fit === 'wait' ? 'wait' : 'none'
  }

  /** A picture of 2016 and sound of 2019 have their length at the same place. */
  #likelier(bytes: Buffer, at: number): Jt1078Version {
    const [likely, ...others] = versions.filter((version) => isLikely(bytes, at, version))
    return likely === undefined || others.length > 0 ? this.#formerVersion : likely
  }

  #found(): void {
    this.figures.packets += 1
    this.#synced = true
    this.#skippedSincePacket = 0
    this.#packetsSinceLoss += 1
    if (this.#packetsSinceLoss >= vehicleSteadyPackets) this.#resyncs = 0
  }

  /** To the next magic behind `at`, or to where one may have begun. */
  #skip(bytes: Buffer, at: number): number {
    if (this.#synced) this.#lose()
    const next = bytes.indexOf(jt1078Magic, at + 1)
    const to = next < 0 ? startOfMagic(bytes, at + 1) : next
    this.figures.skippedBytes += to - at
    this.#skippedSincePacket += to - at
    return to
  }

  #lose(): void {
    this.figures.resyncs += 1
    this.#resyncs += 1
    this.#packetsSinceLoss = 0
    this.#synced = false
    this.#formerVersion = this.#version ?? this.#formerVersion
    this.#version = undefined
  }
}

function readAs(version: Jt1078Version, bytes: Buffer, at: number, isEnd: boolean): Reading {
  const size = measureJt1078(bytes, at, version)
  if (size === 'invalid') return { version, fit: 'mismatch', size: 0 }
  if (size === 'short') return { version, fit: 'wait', size: Number.POSITIVE_INFINITY }
  const behind = at + size
  if (behind > bytes.length) return { version, fit: 'wait', size } // The rest may be a second late, on a bad network.
  if (isMagic(bytes, behind)) return { version, fit: 'match', size }
  if (bytes.length - behind >= 4 || !isMagicSoFar(bytes, behind)) return { version, fit: 'mismatch', size }
  return { version, fit: isEnd ? 'match' : 'wait', size }
}

const [m0, m1, m2, m3] = jt1078Magic

function isMagic(bytes: Buffer, at: number): boolean {
  return bytes[at] === m0 && bytes[at + 1] === m1 && bytes[at + 2] === m2 && bytes[at + 3] === m3
}

/** Whether what is there from `at` on (nothing, or up to three bytes) may become one. */
function isMagicSoFar(bytes: Buffer, at: number): boolean {
  for (let i = 0; at + i < bytes.length; i += 1) if (bytes[at + i] !== jt1078Magic[i]) return false
  return true
}

function startOfMagic(bytes: Buffer, from: number): number {
  let at = Math.max(from, bytes.length - 3)
  while (at < bytes.length && !isMagicSoFar(bytes, at)) at += 1
  return at
}
