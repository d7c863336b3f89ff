import { AppError } from '../../shared/error.ts'
import { rtmpConfigBytesMax } from '../../shared/limits.ts'
import type { VideoConfig } from '../../shared/media/access-unit.ts'
import { type ParsedPicture, VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import { parseAvcC, parseHvcC } from '../../shared/media/codec-config.ts'
import type { FlvVideo } from '../../shared/media/flv-video.ts'
import { type NalCodec, splitLengthPrefixed } from '../../shared/media/nal.ts'

type Config = Extract<FlvVideo, { kind: 'config' }>
type Picture = Extract<FlvVideo, { kind: 'picture' }>

/** Reads the pictures of one run of one codec. */
type Decoder = {
  readonly codec: Config['codec']
  config(record: Uint8Array): void
  /** Undefined when the message holds no picture. */
  picture(picture: Picture): ParsedPicture | undefined
}

/** Bodies of video tags → pictures without times. */
export class FlvPictures {
  #decoder: Decoder | undefined

  /** InvalidArgument for a record that cannot be read: the one before stays in force. */
  config({ codec, record }: Config): void {
    if (record.length > rtmpConfigBytesMax) {
      throw new AppError('InvalidArgument', `FLV: a codec configuration of ${record.length} bytes`)
    }
    const decoder = this.#decoder?.codec === codec ? this.#decoder : decoderOf(codec)
    decoder.config(record)
    this.#decoder = decoder
  }

  /** FailedPrecondition for a picture before its configuration, InvalidArgument for one that is malformed. */
  picture(picture: Picture): ParsedPicture | undefined {
    if (this.#decoder?.codec !== picture.codec) {
      throw new AppError('FailedPrecondition', 'FLV: a picture came before its configuration')
    }
    return this.#decoder.picture(picture)
  }
}

function decoderOf(codec: Config['codec']): Decoder {
  return codec === 'h264' || codec === 'h265' ? new NalDecoder(codec) : new PassedOn(codec)
}

class NalDecoder implements Decoder {
  readonly codec: NalCodec
  readonly #parser: VideoUnitParser
  #lengthBytes: 1 | 2 | 4 = 4

  constructor(codec: NalCodec) {
    this.codec = codec
    this.#parser = new VideoUnitParser(codec)
  }

  config(record: Uint8Array): void {
    const { config, lengthBytes } = this.codec === 'h264' ? parseAvcC(record) : parseHvcC(record)
    this.#lengthBytes = lengthBytes
    this.#parser.parseNalUnits(config.parameterSets)
  }

  picture({ payload }: Picture): ParsedPicture | undefined {
    return this.#parser.parseNalUnits(splitLengthPrefixed(payload, this.#lengthBytes))
  }
}

const shapes = { av1: { codecString: 'av01' }, vp9: { codecString: 'vp09' } }

/** AV1 and VP9 are not looked into: their record and their frames are passed on to viewers as they came. */
class PassedOn implements Decoder {
  readonly codec: 'av1' | 'vp9'
  #config: VideoConfig | undefined

  constructor(codec: 'av1' | 'vp9') {
    this.codec = codec
  }

  config(record: Uint8Array): void {
    const [old] = this.#config?.parameterSets ?? []
    if (old && Buffer.compare(old, record) === 0) return
    this.#config = {
      track: 'video',
      codec: this.codec,
      parameterSets: [Uint8Array.from(record)],
      width: 0,
      height: 0,
      ...shapes[this.codec],
      reorderDepth: 0,
      rotation: 0,
    }
  }

  picture({ key, payload }: Picture): ParsedPicture | undefined {
    if (!this.#config || payload.length === 0) return undefined
    const { length: sizeBytes } = payload
    const seen = { nalUnits: [payload], sizeBytes, randomAccess: key, idr: key, damaged: false }
    return { config: this.#config, ...seen }
  }
}
