import { parseAudioSpecificConfig, splitAdts } from '../../shared/media/aac.ts'
import type { AudioConfig } from '../../shared/media/access-unit.ts'
import { adpcmConfig, g711Config, g726Config } from '../../shared/media/sound-config.ts'
import { vehicleSoundBytesMax } from '../../shared/vehicle-limits.ts'
import { type Jt1078Packet, payloadTypes } from '../protocol/jt1078.ts'
import type { Jt1078Piece } from '../protocol/jt1078-lane.ts'

export type SoundRefusal = 'bad-sound' | 'unknown-codec'

/** What came with one timestamp: one frame, or several of AAC. */
export type VehicleSoundFrames = {
  config: AudioConfig
  frames: readonly Uint8Array[]
  timestampMs: Jt1078Packet['timestampMs']
  arrivalMs: number
}

const learnFrom = 4 // Pieces: three steps of time, of which one may be odd.

/**
 * Pieces of the sound's lane → frames with their configuration, a new object only where it changes.
 *
 * JT/T 1078 names the codec, but neither the bit rate of G.726 nor the sample rate of AAC without ADTS header: both
 * follow from how much time lies between the first pieces, which are held back until then.
 */
export class VehicleSound {
  readonly #onRefused: (reason: SoundRefusal) => void
  #config: { payloadType: number; config: AudioConfig } | undefined
  #learning: Jt1078Piece[] = []

  constructor(onRefused: (reason: SoundRefusal) => void) {
    this.#onRefused = onRefused
  }

  push(piece: Jt1078Piece): VehicleSoundFrames[] {
    const payload = withoutHiSilicon(piece.bytes, isAac(piece.payloadType))
    if (payload.length === 0 || payload.length > vehicleSoundBytesMax) return this.#refuse('bad-sound')
    const clean = { ...piece, bytes: payload }
    if (isAac(piece.payloadType) && isAdts(payload)) return this.#adts(clean)
    const config = this.#known(clean)
    if (config === 'unknown') return this.#refuse('unknown-codec')
    if (config) return [framesOf(config, clean)]
    return this.#learn(clean)
  }

  /** Nothing follows: what was held back, as the usual kind. */
  end(): VehicleSoundFrames[] {
    return this.#learnt()
  }

  #known({ payloadType, bytes }: Jt1078Piece): AudioConfig | 'unknown' | undefined {
    if (this.#config?.payloadType === payloadType) return this.#config.config
    switch (payloadType) {
      case payloadTypes.g711a:
        return this.#set(payloadType, g711Config('g711a'))
      case payloadTypes.g711u:
        return this.#set(payloadType, g711Config('g711u'))
      case payloadTypes.adpcmA:
        return bytes.length > 4 ? this.#set(payloadType, adpcmConfig()) : 'unknown'
      default:
        return payloadType === payloadTypes.g726 || isAac(payloadType) ? undefined : 'unknown'
    }
  }

  #adts(piece: Jt1078Piece): VehicleSoundFrames[] {
    try {
      const { config, frames } = splitAdts(piece.bytes)
      if (frames.length === 0) return this.#refuse('bad-sound')
      const { timestampMs, arrivalMs } = piece
      return [{ config: this.#set(piece.payloadType, config), frames, timestampMs, arrivalMs }]
    } catch {
      return this.#refuse('bad-sound')
    }
  }

  #learn(piece: Jt1078Piece): VehicleSoundFrames[] {
    const before = this.#learning[0]?.payloadType === piece.payloadType ? [] : this.#learnt()
    this.#learning.push(piece)
    return this.#learning.length < learnFrom ? before : [...before, ...this.#learnt()]
  }

  #learnt(): VehicleSoundFrames[] {
    const pieces = this.#learning
    const [first] = pieces
    if (!first) return []
    this.#learning = []
    const stepMs = usualStep(pieces)
    const found = isAac(first.payloadType) ? aacConfig(first, stepMs) : g726Config(g726Layout(first, stepMs))
    const config = this.#set(first.payloadType, found)
    return pieces.map((piece) => framesOf(config, piece))
  }

  #set(payloadType: number, config: AudioConfig): AudioConfig {
    const old = this.#config?.config
    const isSame =
      old?.codec === config.codec &&
      old.sampleRate === config.sampleRate &&
      old.channels === config.channels &&
      Buffer.compare(old.specificConfig, config.specificConfig) === 0
    this.#config = { payloadType, config: isSame ? old : config }
    return this.#config.config
  }

  #refuse(reason: SoundRefusal): VehicleSoundFrames[] {
    this.#onRefused(reason)
    return []
  }
}

function framesOf(config: AudioConfig, { bytes, timestampMs, arrivalMs }: Jt1078Piece): VehicleSoundFrames {
  return { config, frames: [bytes], timestampMs, arrivalMs }
}

function isAac(payloadType: number): boolean {
  return (
    payloadType === payloadTypes.aac ||
    payloadType === payloadTypes.heAac ||
    payloadType === payloadTypes.aacLc
  )
}

function isAdts(payload: Uint8Array): boolean {
  return payload[0] === 0xff && ((payload[1] ?? 0) & 0xf6) === 0xf0
}

const hiSiliconBytes = 4

/** HiSilicon encoders put `00 01 │ half the length, u8 │ 00` before a frame (PROTOCOLS.md, 1). */
function withoutHiSilicon(bytes: Uint8Array, anyLength: boolean): Uint8Array {
  const length = bytes.length - hiSiliconBytes
  const fits =
    length > 0 && bytes[0] === 0 && bytes[1] === 1 && bytes[2] === ((length / 2) & 0xff) && bytes[3] === 0
  return fits && (anyLength || length % 80 === 0) ? bytes.subarray(hiSiliconBytes) : bytes
}

/** Middle one of the steps between stamps; undefined when they stand still. */
function usualStep(pieces: readonly Jt1078Piece[]): number | undefined {
  const stamps = pieces.map(({ timestampMs }) => Number(timestampMs))
  const steps = stamps.slice(1).map((stamp, at) => stamp - (stamps[at] ?? 0))
  const middle = steps.sort((a, b) => a - b)[steps.length >> 1]
  return middle !== undefined && middle > 0 ? middle : undefined
}

/** At 8 kHz so many bits a code are as many bytes a millisecond; 32 kbit/s where time stands still. */
function g726Layout({ bytes }: Jt1078Piece, stepMs: number | undefined): Parameters<typeof g726Config>[0] {
  const rate = stepMs === undefined ? 4 : bytes.length / stepMs
  const bits = nearest([2, 3, 4, 5] as const, rate) ?? 4
  return { bits, lowFirst: false }
}

// Index in Table 1.18 of ISO/IEC 14496-3: those that 9003 can report, and what lies between.
const aacRates = [
  [8000, 11],
  [11_025, 10],
  [12_000, 9],
  [16_000, 8],
  [22_050, 7],
  [24_000, 6],
  [32_000, 5],
  [44_100, 4],
  [48_000, 3],
] as const
const channelPair = 1 // id_syn_ele of a frame of two channels; 0 stands before one channel.

/** AAC-LC by its rate; 8 kHz where time stands still. */
function aacConfig({ bytes }: Jt1078Piece, stepMs: number | undefined): AudioConfig {
  const wanted = stepMs === undefined ? 8000 : (1024 * 1000) / stepMs
  const rate = nearest(
    aacRates.map(([each]) => each),
    wanted,
  )
  const index = aacRates.find(([each]) => each === rate)?.[1] ?? 11
  const channels = (bytes[0] ?? 0) >> 5 === channelPair ? 2 : 1
  return parseAudioSpecificConfig(
    Uint8Array.of((2 << 3) | (index >> 1), ((index & 1) << 7) | (channels << 3)),
  )
}

/** By ratio. */
function nearest<T extends number>(values: readonly T[], wanted: number): T | undefined {
  const distance = (value: number) => Math.abs(Math.log(value / wanted))
  return [...values].sort((a, b) => distance(a) - distance(b))[0]
}
