import { crc32 } from 'node:zlib'
import type { AccessUnit, AudioConfig, VideoConfig } from '../../shared/media/access-unit.ts'
import { videoConfig } from '../../shared/media/codec-config.ts'

/**
 * Units that say who they are. A picture is an SEI of type 5 (user data) with {stream, n, crc} and one fake slice of
 * the wanted size; the parameter sets are real (640×480 baseline). What is found in a file is read by `readLabels`.
 */
const uuid = Buffer.from('edee1edee1edee1edee1edee1edee1ed', 'hex')
const sps = Buffer.from('6742c01ed900a03db0e10000030001000003003c0f162e48', 'hex')
const pps = Buffer.from('68cb83cb20', 'hex')

export const syntheticVideo: VideoConfig = videoConfig({ codec: 'h264', parameterSets: [sps, pps] })
export const syntheticAudio: AudioConfig = {
  track: 'audio',
  codec: 'aac',
  specificConfig: Uint8Array.of(0x12, 0x10),
  sampleRate: 44_100,
  channels: 2,
  frameSamples: 1024,
  codecString: 'mp4a.40.2',
}

export type Label = { stream: string; n: number }

export type SyntheticOptions = {
  stream?: string
  /** Pictures from one key frame to the next. */
  gop?: number
  frameMs?: number
  startMs?: number
  startMonotonicMs?: number
  bytes?: number
  epoch?: number
  config?: VideoConfig
}

/** The `n`-th picture of a stream. */
export function syntheticPicture(n: number, options: SyntheticOptions = {}): AccessUnit {
  const { stream = 'cam', gop = 10, frameMs = 100, bytes = 200, epoch = 0, config = syntheticVideo } = options
  const { startMs = 1_772_366_400_000, startMonotonicMs = 0 } = options
  const key = n % gop === 0
  const nalUnits = [labelSei({ stream, n }), slice(key, n, bytes)]
  return {
    track: 'video',
    config,
    nalUnits,
    sizeBytes: nalUnits.reduce((sum, nal) => sum + 4 + nal.length, 0),
    randomAccess: key,
    idr: key,
    dtsMs: startMs + n * frameMs,
    ptsMs: startMs + n * frameMs,
    arrivalMs: startMonotonicMs + n * frameMs,
    epoch,
    timeSource: 'device',
  }
}

export function syntheticSound(n: number, options: SyntheticOptions = {}): AccessUnit {
  const { startMs = 1_772_366_400_000, startMonotonicMs = 0, epoch = 0, bytes = 100 } = options
  const ms = Math.round((n * 1024_000) / 44_100)
  return {
    track: 'audio',
    config: syntheticAudio,
    nalUnits: [new Uint8Array(bytes).fill(n & 0xff)],
    sizeBytes: bytes,
    randomAccess: true,
    idr: false,
    dtsMs: startMs + ms,
    ptsMs: startMs + ms,
    arrivalMs: startMonotonicMs + ms,
    epoch,
    timeSource: 'device',
  }
}

/** The pictures in a piece of Annex B, in their order. Throws when one is damaged. */
export function readLabels(annexB: Uint8Array): Label[] {
  const file = Buffer.from(annexB.buffer, annexB.byteOffset, annexB.byteLength)
  const labels: Label[] = []
  for (let at = file.indexOf(uuid); at >= 0; at = file.indexOf(uuid, at + uuid.length)) {
    const end = file.indexOf('}', at)
    const text = file.toString('latin1', at + uuid.length, end + 1)
    const { stream, n, crc } = JSON.parse(text) as Label & { crc: number }
    if (crc !== crc32(`${stream} ${n}`)) throw new Error(`picture ${stream} ${n} is damaged`)
    labels.push({ stream, n })
  }
  return labels
}

function labelSei({ stream, n }: Label): Uint8Array {
  const text = Buffer.from(JSON.stringify({ stream, n, crc: crc32(`${stream} ${n}`) }))
  return Buffer.concat([
    Uint8Array.of(0x06, 0x05, uuid.length + text.length),
    uuid,
    text,
    Uint8Array.of(0x80),
  ])
}

/** Its bytes never look like a start code. */
function slice(key: boolean, n: number, bytes: number): Uint8Array {
  const nal = new Uint8Array(Math.max(2, bytes))
  for (let i = 1; i < nal.length; i += 1) nal[i] = 1 + ((n * 31 + i * 7) % 254)
  nal[0] = key ? 0x65 : 0x41
  return nal
}
