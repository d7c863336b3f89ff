import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parseAudioSpecificConfig } from '../../shared/media/aac.ts'
import type { AudioConfig, VideoConfig } from '../../shared/media/access-unit.ts'
import { parseAvcC, parseHvcC } from '../../shared/media/codec-config.ts'
import { hasProgram, sharedPath } from './shared-data.ts'

export type SourceSample = { dtsMs: number; ptsMs: number; sync: boolean; bytes: Uint8Array }
export type MovieSource = {
  video: { config: VideoConfig; samples: SourceSample[] }
  audio?: { config: AudioConfig; samples: SourceSample[] }
}

/** The samples of a real MP4 as our own ring would hold them: Annex B with 4-byte start codes, bare AAC frames. */
export function readMovieSource(path: string): MovieSource {
  const file = readFileSync(path)
  const probe = JSON.parse(
    execFileSync('ffprobe', ['-v', 'error', '-show_streams', '-show_packets', '-of', 'json', path], {
      maxBuffer: 2 ** 28,
    }).toString(),
  ) as { streams: Record<string, unknown>[]; packets: Record<string, string & number>[] }
  const index = (type: string) => probe.streams.find((stream) => stream.codec_type === type)?.index
  const samplesOf = (stream: unknown, framed: boolean) =>
    probe.packets
      .filter((packet) => packet.stream_index === stream && Number(packet.size) > 0)
      .map((packet): SourceSample => {
        const at = Number(packet.pos)
        const bytes = Buffer.from(file.subarray(at, at + Number(packet.size)))
        return {
          dtsMs: Math.round(Number(packet.dts_time) * 1000),
          ptsMs: Math.round(Number(packet.pts_time) * 1000),
          sync: String(packet.flags).startsWith('K'),
          bytes: framed ? startCodes(bytes) : bytes,
        }
      })
  const video = { config: videoConfigIn(file), samples: samplesOf(index('video'), true) }
  if (index('audio') === undefined) return { video }
  const audio = { config: audioConfigIn(file), samples: samplesOf(index('audio'), false) }
  return { video, audio }
}

function videoConfigIn(file: Buffer): VideoConfig {
  const avc = file.indexOf('avcC')
  const at = avc === -1 ? file.indexOf('hvcC') : avc
  const record = file.subarray(at + 4, at - 4 + file.readUInt32BE(at - 4))
  return (avc === -1 ? parseHvcC(record) : parseAvcC(record)).config
}

function audioConfigIn(file: Buffer): AudioConfig {
  const esds = file.indexOf('esds')
  const body = file.subarray(esds + 8, esds - 4 + file.readUInt32BE(esds - 4))
  let at = body.indexOf(0x05, body.indexOf(0x04) + 14)
  let size = 0
  do {
    at += 1
    size = (size << 7) | ((body[at] ?? 0) & 0x7f)
  } while ((body[at] ?? 0) & 0x80)
  return parseAudioSpecificConfig(body.subarray(at + 1, at + 1 + size))
}

function startCodes(sample: Buffer): Buffer {
  for (let at = 0; at + 4 <= sample.length; ) {
    const length = sample.readUInt32BE(at)
    sample.writeUInt32BE(1, at)
    at += 4 + length
  }
  return sample
}

const sources = new Map<string, MovieSource>()

/** Read once for all tests of a file; tests do not write to it. */
export function movieSourceOf(path: string): MovieSource {
  const source = sources.get(path) ?? readMovieSource(path)
  sources.set(path, source)
  return source
}

const names = [
  'media__sample.mp4', // B-frames and AAC.
  'mp4ff__bbb_prog_10s.mp4', // B-frames, several GOPs, AAC.
  'dvr__traffic_camera_vfr.mp4', // Variable rate, B-frames, GOPs of 10 s.
  'media__sample_android_slow_motion.mp4', // 33 to 325 ms between pictures.
  'gpmf__max-heromode.mp4', // No B-frames, a key frame every third of a second, AAC.
]

/** [name, path] of real recordings; empty without the data or without FFmpeg. */
export const realMovies: [string, string][] =
  hasProgram('ffmpeg') && hasProgram('ffprobe')
    ? names.flatMap((name): [string, string][] => {
        const path = sharedPath('data', 'mp4', name)
        return path ? [[name, path]] : []
      })
    : []
