import type { AudioConfig, CodecConfig, VideoConfig } from './access-unit.ts'
import { type Amf0Value, decodeAmf0, EcmaArray, encodeAmf0 } from './amf0.ts'

const videoCodecIds: Partial<Record<CodecConfig['codec'], number>> = {
  h264: 7,
  h265: 0x68766331, // hvc1, and so on: numbers made of FourCCs (Enhanced RTMP v2)
  av1: 0x61763031,
  vp9: 0x76703039,
}
const audioCodecIds: Partial<Record<CodecConfig['codec'], number>> = {
  aac: 10,
  g711a: 7,
  g711u: 8,
  mp3: 2,
  opus: 0x4f707573,
}

/** The body of an `onMetaData` tag of a live stream. */
export function flvMetadata(config: { video?: VideoConfig; audio?: AudioConfig }): Uint8Array {
  const { video, audio } = config
  const entries: { [key: string]: Amf0Value } = { encoder: 'edgereel' }
  if (video) {
    const id = videoCodecIds[video.codec]
    Object.assign(
      entries,
      { width: video.width, height: video.height },
      id === undefined ? {} : { videocodecid: id },
    )
  }
  if (audio) {
    const id = audioCodecIds[audio.codec]
    Object.assign(entries, {
      audiosamplerate: audio.sampleRate,
      audiosamplesize: 16,
      stereo: audio.channels > 1,
    })
    if (id !== undefined) entries.audiocodecid = id
  }
  return encodeAmf0('onMetaData', new EcmaArray(entries))
}

/**
 * The properties of an `onMetaData` message, also wrapped in `@setDataFrame`; undefined for another message.
 * They are the sender's claims: nothing here is believed for times or sizes. InvalidArgument as `decodeAmf0`.
 */
export function parseFlvMetadata(body: Uint8Array): { [key: string]: Amf0Value } | undefined {
  const values = decodeAmf0(body)
  if (values[0] === '@setDataFrame') values.shift()
  const [name, properties] = values
  if (name !== 'onMetaData' || !isObject(properties)) return undefined
  return properties
}

function isObject(value: Amf0Value): value is { [key: string]: Amf0Value } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null
}
