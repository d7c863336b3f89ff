import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { AccessUnit, AudioConfig, VideoConfig } from '../../shared/media/access-unit.ts'
import { VideoUnitParser } from '../../shared/media/access-unit-parser.ts'

const clip = resolve(import.meta.dirname, '../../agent/sim/clip')

/** The pictures of the built-in clip, on a timeline that begins at `startMs`. */
export function clipUnits({ startMs = 1_700_000_000_000, epoch = 0 } = {}): AccessUnit[] {
  const bytes = readFileSync(`${clip}.h264`)
  const json = JSON.parse(readFileSync(`${clip}.json`, 'utf8'))
  const { fps, pictures } = z.object({ fps: z.number(), pictures: z.array(z.number()) }).parse(json)
  const parser = new VideoUnitParser('h264')
  let at = 0
  return pictures.map((size, i) => {
    const picture = parser.parse(bytes.subarray(at, at + size))
    if (!picture) throw new Error(`picture ${i} of the clip is none`)
    at += size
    const ms = startMs + Math.round((i * 1000) / fps)
    return {
      ...picture,
      track: 'video',
      dtsMs: ms,
      ptsMs: ms,
      arrivalMs: ms - startMs,
      epoch,
      timeSource: 'device',
    }
  })
}

export const fakeVideo: VideoConfig = {
  track: 'video',
  codec: 'h264',
  parameterSets: [Uint8Array.of(0x67, 0x42, 0xc0, 0x1e, 0xd9), Uint8Array.of(0x68, 0xce)],
  width: 640,
  height: 480,
  codecString: 'avc1.42c01e',
  reorderDepth: 0,
  rotation: 0,
}

export const fakeAudio: AudioConfig = {
  track: 'audio',
  codec: 'aac',
  specificConfig: Uint8Array.of(0x12, 0x10),
  sampleRate: 44_100,
  channels: 2,
  frameSamples: 1024,
  codecString: 'mp4a.40.2',
}

type Wanted = Partial<Omit<AccessUnit, 'config' | 'nalUnits' | 'sizeBytes'>> & {
  ms?: number
  key?: boolean
  bytes?: number
  config?: VideoConfig | AudioConfig
}

/** A unit of so many bytes that mean nothing. */
export function fakeUnit({
  ms = 0,
  key = false,
  bytes = 100,
  config = fakeVideo,
  ...more
}: Wanted = {}): AccessUnit {
  const sizeBytes = bytes + (config.track === 'video' ? 4 : 0)
  return {
    track: config.track,
    config,
    nalUnits: [new Uint8Array(bytes).fill(0x41)],
    sizeBytes,
    randomAccess: key || config.track === 'audio',
    idr: key,
    dtsMs: ms,
    ptsMs: ms,
    arrivalMs: ms,
    epoch: 0,
    timeSource: 'device',
    ...more,
  }
}
