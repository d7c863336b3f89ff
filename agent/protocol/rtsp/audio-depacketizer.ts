import { rtpSoundBytesMax, rtpSoundFramesMax } from '../../../shared/limits.ts'
import { BitReader } from '../../../shared/media/bits.ts'
import type { Depacketizer, RtpUnit } from './depacketizer.ts'
import { LatmDepacketizer } from './latm.ts'
import type { Received } from './rtp.ts'
import type { AacLayout, AudioFormat } from './sdp.ts'

export function audioDepacketizer(format: AudioFormat): Depacketizer {
  if (format.layout) return new AacDepacketizer(format, format.layout)
  const { latmFrames: frames, config, clockRate } = format
  if (frames === undefined) return new PlainDepacketizer()
  return new LatmDepacketizer({ frames, frameTicks: (config.frameSamples * clockRate) / config.sampleRate })
}

/** G.711 (RFC 3551): a packet is a run of samples, as long as the sender likes. */
class PlainDepacketizer implements Depacketizer {
  refused = 0

  push({ packet: { timestamp, payload }, lost, arrivalMs }: Received): RtpUnit[] {
    return [{ timestamp, offset: 0, parts: [Buffer.from(payload)], damaged: false, lost, arrivalMs }]
  }

  end(): RtpUnit[] {
    return []
  }
}

type Fragment = { timestamp: number; size: number; parts: Uint8Array[]; bytes: number }

/**
 * AAC-hbr and AAC-lbr (RFC 3640, section 3).
 *
 *   bits of headers u16 │ (size │ index, of all but the first its difference) … to whole bytes │ frames
 *
 * A frame that does not fit into a packet comes in several, each with the size of the whole; the marker ends it.
 * Interleaved frames (an index that is not 0) are refused: no camera was seen that sends them.
 */
class AacDepacketizer implements Depacketizer {
  refused = 0
  readonly #layout: AacLayout
  /** Ticks from a frame to the next. */
  readonly #frameTicks: number
  #fragment: Fragment | undefined
  #lost = 0

  constructor({ clockRate, config }: AudioFormat, layout: AacLayout) {
    this.#layout = layout
    this.#frameTicks = (config.frameSamples * clockRate) / config.sampleRate
  }

  push({ packet, lost, arrivalMs }: Received): RtpUnit[] {
    this.#lost += lost
    if (lost > 0) this.#fragment = undefined
    const read = this.#sizes(packet.payload)
    if (!read) return this.#refuse()
    const { sizes, data } = read
    const { timestamp, marker } = packet
    const [size = 0] = sizes
    if (sizes.length === 1 && size > data.length)
      return this.#gather({ size, data, timestamp, marker, arrivalMs })
    this.#fragment = undefined
    const parts: Uint8Array[] = []
    let at = 0
    for (const bytes of sizes) {
      if (at + bytes > data.length) return this.#refuse()
      parts.push(Buffer.from(data.subarray(at, at + bytes)))
      at += bytes
    }
    return parts.map((part, i) => this.#unit(timestamp, i * this.#frameTicks, part, arrivalMs))
  }

  /** A frame that is not whole is of no use. */
  end(): RtpUnit[] {
    return []
  }

  #gather(piece: {
    size: number
    data: Uint8Array
    timestamp: number
    marker: boolean
    arrivalMs: number
  }): RtpUnit[] {
    const { size, data, timestamp, marker, arrivalMs } = piece
    const known = this.#fragment?.timestamp === timestamp && this.#fragment.size === size
    const fragment: Fragment =
      known && this.#fragment ? this.#fragment : { timestamp, size, parts: [], bytes: 0 }
    fragment.parts.push(Buffer.from(data))
    fragment.bytes += data.length
    this.#fragment = fragment
    if (fragment.bytes > Math.min(size, rtpSoundBytesMax)) return this.#refuse()
    if (fragment.bytes < size) return marker ? this.#refuse() : []
    this.#fragment = undefined
    return [this.#unit(timestamp, 0, Buffer.concat(fragment.parts), arrivalMs)]
  }

  #unit(timestamp: number, offset: number, part: Uint8Array, arrivalMs: number): RtpUnit {
    const lost = this.#lost
    this.#lost = 0
    return { timestamp, offset, parts: [part], damaged: false, lost, arrivalMs }
  }

  #sizes(payload: Uint8Array): { sizes: number[]; data: Uint8Array } | undefined {
    const { sizeLength, indexLength, indexDeltaLength } = this.#layout
    const headerBits = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0)
    const dataAt = 2 + Math.ceil(headerBits / 8)
    if (payload.length < 3 || dataAt > payload.length || headerBits < sizeLength + indexLength)
      return undefined
    const reader = new BitReader(payload, 2, { escaped: false })
    const sizes: number[] = []
    for (
      let left = headerBits;
      left >= sizeLength + (sizes.length === 0 ? indexLength : indexDeltaLength);
    ) {
      const lengthOfIndex = sizes.length === 0 ? indexLength : indexDeltaLength
      const size = reader.bits(sizeLength)
      const index = lengthOfIndex === 0 ? 0 : reader.bits(lengthOfIndex)
      left -= sizeLength + lengthOfIndex
      if (index !== 0 || size === 0 || sizes.length === rtpSoundFramesMax) return undefined
      sizes.push(size)
    }
    return { sizes, data: payload.subarray(dataAt) }
  }

  #refuse(): RtpUnit[] {
    this.refused += 1
    this.#lost += 1
    this.#fragment = undefined
    return []
  }
}
