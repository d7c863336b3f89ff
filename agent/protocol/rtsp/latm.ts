import { AppError } from '../../../shared/error.ts'
import { rtpSoundBytesMax, rtpSoundFramesMax } from '../../../shared/limits.ts'
import { parseAudioSpecificConfig } from '../../../shared/media/aac.ts'
import type { AudioConfig } from '../../../shared/media/access-unit.ts'
import { BitReader } from '../../../shared/media/bits.ts'
import type { Depacketizer, RtpUnit } from './depacketizer.ts'
import type { Received } from './rtp.ts'

/** What a StreamMuxConfig says: the sound, and how many frames an AudioMuxElement holds. */
export type LatmConfig = { config: AudioConfig; frames: number }

/**
 * StreamMuxConfig (ISO/IEC 14496-3, 1.7.3.1), as SDP gives it (RFC 6416, 7.3): one programme, one layer.
 *
 *   audioMuxVersion 1 = 0 │ allStreamsSameTimeFraming 1 = 1 │ numSubFrames 6 │ numProgram 4 = 0 │ numLayer 3 = 0
 *   AudioSpecificConfig │ frameLengthType 3 = 0 │ latmBufferFullness 8 │ otherDataPresent 1 │ crcCheckPresent 1
 *
 * InvalidArgument for what is none, or of another shape: no camera was seen that sends it.
 */
export function parseStreamMuxConfig(bytes: Uint8Array): LatmConfig {
  const reader = new BitReader(bytes, 0, { escaped: false })
  const [version, sameTime, subFrames, programs, layers] = [1, 1, 6, 4, 3].map((bits) => reader.bits(bits))
  if (version !== 0 || sameTime !== 1 || programs !== 0 || layers !== 0) {
    throw new AppError('InvalidArgument', 'the camera sends LATM of several layers, which is not read')
  }
  const shifted = new Uint8Array(Math.max(0, bytes.length - 2))
  for (let i = 0; i < shifted.length; i += 1) {
    shifted[i] = (((bytes[i + 1] ?? 0) << 7) | ((bytes[i + 2] ?? 0) >> 1)) & 0xff // From bit 15 on.
  }
  const config = parseAudioSpecificConfig(shifted.subarray(0, configBytes(shifted)))
  return { config, frames: (subFrames ?? 0) + 1 }
}

/** Type 5, rate 4 (15: + 24), channels 4, three flags; with SBR or PS the rate and the type of the core as well. */
function configBytes(config: Uint8Array): number {
  const type = (config[0] ?? 0) >> 3
  const rateIndex = (((config[0] ?? 0) & 7) << 1) | ((config[1] ?? 0) >> 7)
  const bits = 5 + (rateIndex === 15 ? 28 : 4) + 4 + 3 + (type === 5 || type === 29 ? 9 : 0)
  return Math.ceil(bits / 8)
}

type Element = { timestamp: number; parts: Uint8Array[]; bytes: number }

/**
 * MP4A-LATM with its configuration out of band (RFC 6416, section 6): a packet is an AudioMuxElement, or a piece of one
 * that the marker ends.
 *
 *   (length: 255 … 255, < 255; their sum │ frame) …
 */
export class LatmDepacketizer implements Depacketizer {
  refused = 0
  readonly #frames: number
  readonly #frameTicks: number
  #element: Element | undefined
  #lost = 0
  /** What comes next begins in the middle of an element. */
  #headless = false

  constructor({ frames, frameTicks }: { frames: number; frameTicks: number }) {
    this.#frames = frames
    this.#frameTicks = frameTicks
  }

  push({ packet: { timestamp, marker, payload }, lost, arrivalMs }: Received): RtpUnit[] {
    this.#lost += lost
    if (lost > 0) {
      this.#headless = this.#element !== undefined && this.#element.timestamp === timestamp
      this.#element = undefined
    }
    if (this.#headless) {
      this.#headless = !marker
      return []
    }
    const element =
      this.#element?.timestamp === timestamp ? this.#element : { timestamp, parts: [], bytes: 0 }
    element.parts.push(Buffer.from(payload))
    element.bytes += payload.length
    this.#element = element
    if (element.bytes > rtpSoundBytesMax) return this.#refuse()
    if (!marker) return []
    this.#element = undefined
    return this.#split(Buffer.concat(element.parts), timestamp, arrivalMs)
  }

  /** A frame that is not whole is of no use. */
  end(): RtpUnit[] {
    return []
  }

  #split(bytes: Uint8Array, timestamp: number, arrivalMs: number): RtpUnit[] {
    const parts: Uint8Array[] = []
    for (let at = 0; parts.length < Math.min(this.#frames, rtpSoundFramesMax); ) {
      let length = 0
      let byte = 255
      while (byte === 255) {
        byte = bytes[at] ?? -1
        if (byte < 0) return this.#refuse()
        length += byte
        at += 1
      }
      if (length === 0 || at + length > bytes.length) return this.#refuse()
      parts.push(bytes.subarray(at, at + length))
      at += length
    }
    const lost = this.#lost
    this.#lost = 0
    return parts.map((part, i) => ({
      ...{ timestamp, offset: i * this.#frameTicks, parts: [part], damaged: false, arrivalMs },
      lost: i === 0 ? lost : 0,
    }))
  }

  #refuse(): RtpUnit[] {
    this.refused += 1
    this.#lost += 1
    this.#element = undefined
    return []
  }
}
