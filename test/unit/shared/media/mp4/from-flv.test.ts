import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseAudioSpecificConfig } from '../../../../../shared/media/aac.ts'
import type { AudioConfig, VideoConfig } from '../../../../../shared/media/access-unit.ts'
import { parseAvcC, parseHvcC } from '../../../../../shared/media/codec-config.ts'
import { FlvParser } from '../../../../../shared/media/flv.ts'
import { parseFlvAudio } from '../../../../../shared/media/flv-audio.ts'
import { parseFlvVideo } from '../../../../../shared/media/flv-video.ts'
import { planMovie } from '../../../../../shared/media/mp4/movie.ts'
import { planSegment } from '../../../../../shared/media/mp4/segment.ts'
import { joinAnnexB, splitLengthPrefixed } from '../../../../../shared/media/nal.ts'
import {
  decodePictures,
  decodeSound,
  probePackets,
  probeStreams,
  rawTrack,
  writeMovie,
  writeSegment,
} from '../../../../support/movie-judges.ts'
import type { SourceSample } from '../../../../support/movie-source.ts'
import { hasProgram, sharedPath } from '../../../../support/shared-data.ts'

const judged = hasProgram('ffmpeg') && hasProgram('ffprobe')

/** An FLV file by our own parsers: what a stream over RTMP brings. */
function readFlv(path: string) {
  const pictures: SourceSample[] = []
  const frames: SourceSample[] = []
  let video: VideoConfig | undefined
  let audio: AudioConfig | undefined
  let lengthBytes: 1 | 2 | 4 = 4
  for (const { kind, timestampMs, body } of new FlvParser().push(readFileSync(path))) {
    if (kind === 'video') {
      const tag = parseFlvVideo(body)
      if (tag.kind === 'config') {
        const parsed = tag.codec === 'h264' ? parseAvcC(tag.record) : parseHvcC(tag.record)
        video = parsed.config
        lengthBytes = parsed.lengthBytes
      } else if (tag.kind === 'picture') {
        const bytes = joinAnnexB(splitLengthPrefixed(tag.payload, lengthBytes))
        pictures.push({ dtsMs: timestampMs, ptsMs: timestampMs + tag.compositionMs, sync: tag.key, bytes })
      }
    } else if (kind === 'audio') {
      const tag = parseFlvAudio(body)
      if (tag.kind === 'config') audio = parseAudioSpecificConfig(tag.specificConfig)
      else if (tag.kind === 'frame' && audio) {
        frames.push({ dtsMs: timestampMs, ptsMs: timestampMs, sync: true, bytes: tag.payload })
      }
    }
  }
  if (!video) throw new Error('no video configuration')
  return { video: { config: video, samples: pictures }, audio: audio && { config: audio, samples: frames } }
}

describe.skipIf(!judged || !sharedPath('data', 'flv'))('FLV → both forms of MP4, judged by FFmpeg', () => {
  test.each([
    ['ff81_hevc_aac.flv', 'hevc', 'hvc1'],
    ['ff81_avc_aac.flv', 'h264', 'avc1'],
    ['srs__bbb.flv', 'h264', 'avc1'],
    ['xgplayer__avc_aac.flv', 'h264', 'avc1'],
  ])('%s', (name, codec, entry) => {
    const path = sharedPath('data', 'flv', name)
    if (!path) throw new Error(`${name} is not there`)
    const source = readFlv(path)
    const tracks = [source.video, ...(source.audio ? [source.audio] : [])].map((track) =>
      rawTrack(track.config, track.samples),
    )
    const sent = source.video.samples
    const fromMs = Math.min(...sent.map((sample) => sample.ptsMs))
    const movie = writeMovie(tracks, planMovie({ tracks, fromMs, createdWallMs: 0 }))
    const segment = writeSegment(tracks, planSegment({ tracks, originMs: fromMs, createdWallMs: 0 }))
    for (const file of [movie, segment]) {
      expect(probeStreams(file).streams[0]).toMatchObject({ codec_name: codec, codec_tag_string: entry })
      expect(probePackets(file, 'v').map((packet) => Math.round(packet.ptsMs))).toEqual(
        sent.map((sample) => sample.ptsMs - fromMs),
      )
      expect(decodePictures(file).complaints).toBe('')
      expect(decodeSound(file)).toBe('')
    }
    expect(decodePictures(movie).shownMs).toEqual(
      sent.map((sample) => sample.ptsMs - fromMs).sort((a, b) => a - b),
    )
  })
})
