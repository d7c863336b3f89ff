import { AppError } from '../../shared/error.ts'
import { rtmpConfigBytesMax } from '../../shared/limits.ts'
import { parseAudioSpecificConfig } from '../../shared/media/aac.ts'
import type { AudioCodec, AudioConfig } from '../../shared/media/access-unit.ts'
import type { FlvAudio } from '../../shared/media/flv-audio.ts'

type Config = Extract<FlvAudio, { kind: 'config' }>
type Frame = Extract<FlvAudio, { kind: 'frame' }>

/** Bodies of audio tags → frames with their configuration, which is a new object only where it changes. */
export class FlvSound {
  #config: AudioConfig | undefined

  /** InvalidArgument for one that cannot be read: the one before stays in force. */
  config({ codec, specificConfig }: Config): void {
    if (specificConfig.length > rtmpConfigBytesMax) {
      throw new AppError('InvalidArgument', `FLV: an audio configuration of ${specificConfig.length} bytes`)
    }
    if (codec === 'aac') this.#set(parseAudioSpecificConfig(specificConfig))
    else if (codec === 'opus') this.#set(opusConfig(specificConfig))
  }

  /** FailedPrecondition for a frame before the configuration that its codec needs. */
  frame(frame: Frame): AudioConfig {
    const { codec } = frame
    if (codec !== 'aac' && codec !== 'opus') return this.#set(plainConfig(codec, shapeOf(frame)))
    if (this.#config?.codec !== codec) {
      throw new AppError('FailedPrecondition', 'FLV: sound came before its configuration')
    }
    return this.#config
  }

  #set(config: AudioConfig): AudioConfig {
    const old = this.#config
    const same =
      old?.codec === config.codec &&
      old.sampleRate === config.sampleRate &&
      old.channels === config.channels &&
      Buffer.compare(old.specificConfig, config.specificConfig) === 0
    if (!same) this.#config = config
    return this.#config ?? config
  }
}

type Shape = { sampleRate: number; channels: number; frameSamples: number }

/** OpusHead (RFC 7845, 5.1): "OpusHead" │ version │ channels u8 │ … Sound is always decoded at 48 kHz. */
function opusConfig(head: Uint8Array): AudioConfig {
  const channels = head[9] ?? 0
  if (channels === 0) throw new AppError('InvalidArgument', 'FLV: an Opus configuration that is cut off')
  const shape = { sampleRate: 48_000, channels, frameSamples: 0 }
  return { ...plainConfig('opus', shape), specificConfig: Uint8Array.from(head) }
}

function plainConfig(codec: AudioCodec, shape: Shape): AudioConfig {
  return { track: 'audio', codec, specificConfig: new Uint8Array(0), ...shape, codecString: codec }
}

/** How long a frame of G.711 is, is up to its sender. */
function shapeOf({ codec, payload, sampleRate, channels }: Frame): Shape {
  return codec === 'mp3' ? mp3Shape(payload) : { sampleRate, channels, frameSamples: 0 }
}

const mp3Rates = [44_100, 48_000, 32_000]
const mp3Division = [4, undefined, 2, 1] // Of MPEG 2.5, reserved, 2 and 1.

/** The header of a layer III frame (ISO/IEC 11172-3, 2.4.1.3): sync 11 │ version 2 │ layer 2 │ 1 │ bit rate 4 │ rate 2 │ 2 │ mode 2 … */
function mp3Shape(frame: Uint8Array): Shape {
  const [sync, version = 0, rate = 0, mode = 0] = frame
  const division = mp3Division[(version >> 3) & 3]
  const base = mp3Rates[(rate >> 2) & 3]
  if (frame.length < 4 || sync !== 0xff || version < 0xe0 || division === undefined || base === undefined) {
    throw new AppError('InvalidArgument', 'FLV: an MP3 frame without its header')
  }
  return {
    sampleRate: base / division,
    channels: mode >> 6 === 3 ? 1 : 2,
    frameSamples: division === 1 ? 1152 : 576,
  }
}
