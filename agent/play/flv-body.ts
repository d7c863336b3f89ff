import type { AccessUnit, AudioConfig, CodecConfig, VideoConfig } from '../../shared/media/access-unit.ts'
import { type Amf0Value, EcmaArray, encodeAmf0 } from '../../shared/media/amf0.ts'
import { encodeAvcC, encodeHvcC } from '../../shared/media/codec-config.ts'
import type { FlvTagKind } from '../../shared/media/flv.ts'

/*
 * Bodies of FLV tags (FLV 10.1, E.4.2 and E.4.3; H.265: Enhanced RTMP v2, "Enhanced Video"):
 *
 *   H.264  │ frame type 4 bits │ 7 │ 0 configuration, 1 picture │ composition time s24 │ avcC or (length u32, NAL)…
 *   H.265  │ 1 │ frame type 3 bits │ 0 configuration  │ "hvc1" │ hvcC
 *          │                       │ 1 picture        │ "hvc1" │ composition time s24 │ (length u32, NAL)…
 *   AAC    │ 0xaf │ 0 configuration, 1 frame │ AudioSpecificConfig or raw frame
 */
const keyFrame = 1
const interFrame = 2
const avc = 7
const aacHead = 0xaf // AAC, and the rest of the byte as the specification fixes it.
const hvc1 = 0x68766331

/** Other sound is left out, since a browser then plays nothing at all. */
export function playsInFlv({ codec }: CodecConfig): boolean {
  return codec === 'h264' || codec === 'h265' || codec === 'aac'
}

/** The tags that a decoder needs first. */
export function flvConfigTags(config: CodecConfig): { kind: FlvTagKind; parts: Uint8Array[] }[] {
  if (config.track === 'audio') {
    return [{ kind: 'audio', parts: [Uint8Array.of(aacHead, 0), config.specificConfig] }]
  }
  const record = config.codec === 'h265' ? encodeHvcC(config) : encodeAvcC(config)
  return [{ kind: 'video', parts: [videoHead(config, { key: true, packet: 0, compositionMs: 0 }), record] }]
}

/** The body of one unit's tag, in parts that are not copied here. */
export function flvUnitBody(unit: AccessUnit): Uint8Array[] {
  if (unit.config.track === 'audio') return [Uint8Array.of(aacHead, 1), ...unit.nalUnits]
  const compositionMs = unit.ptsMs - unit.dtsMs
  const parts: Uint8Array[] = [videoHead(unit.config, { key: unit.randomAccess, packet: 1, compositionMs })]
  for (const nal of unit.nalUnits) {
    const length = Buffer.allocUnsafe(4)
    length.writeUInt32BE(nal.length)
    parts.push(length, nal)
  }
  return parts
}

function videoHead(
  { codec }: VideoConfig,
  { key, packet, compositionMs }: { key: boolean; packet: 0 | 1; compositionMs: number },
): Uint8Array {
  const frameType = key ? keyFrame : interFrame
  const composition = Uint8Array.of(compositionMs >> 16, compositionMs >> 8, compositionMs)
  if (codec !== 'h265') return Uint8Array.of((frameType << 4) | avc, packet, ...composition)
  const head = Buffer.of(0x80 | (frameType << 4) | packet, 0, 0, 0, 0, ...(packet === 1 ? composition : []))
  head.writeUInt32BE(hvc1, 1)
  return head
}

/** `onMetaData`, as far as it is known without having seen the stream's end. */
export function flvMetadata(video: VideoConfig | undefined, audio: AudioConfig | undefined): Uint8Array {
  const entries: Record<string, Amf0Value> = { encoder: 'edgereel' }
  if (video) {
    entries.width = video.width
    entries.height = video.height
    entries.videocodecid = video.codec === 'h265' ? hvc1 : avc
  }
  if (audio) {
    entries.audiocodecid = 10
    entries.audiosamplerate = audio.sampleRate
    entries.audiosamplesize = 16
    entries.stereo = audio.channels > 1
  }
  return encodeAmf0('onMetaData', new EcmaArray(entries))
}
