import { AppError } from '../../error.ts'
import type { AudioConfig, CodecConfig } from '../access-unit.ts'
import type { SampleTable } from './sample-table.ts'

/** Movie and video count milliseconds: the source's own stamps, never rescaled. */
export const movieTimescale = 1000

/** Shown this long when a track holds one picture only, and nobody says how long: one of 30 a second. */
const lonePictureMs = 33
const medianOf = 9

/**
 * When the samples `first` … `end` − 1 of a table are decoded and for how long.
 *
 * Video: timescale 1000, each duration is exactly the difference of two DTS. Where a composition offset
 * would be negative (FLV allows it, version 0 of `ctts` does not), all DTS of the track stand earlier by the
 * same `shiftMs`; PTS do not move.
 *
 * Audio: timescale = sample rate, each frame lasts exactly its number of samples while its stamp is within
 * one frame of that count; a whole frame away, less the rounding of a millisecond, one is missing, and the track is
 * re-anchored to the stamp. Millisecond stamps alone would
 * make AAC frames of 1008 and 1056 samples, which decoders play as clicks.
 */
export type TrackTiming = {
  first: number
  end: number
  timescale: number
  /** Timeline ms of media time 0: the first sample's DTS, less the shift. */
  startMs: number
  shiftMs: number
  /** Timescale units, one for each sample of the range. */
  durations: Uint32Array
  /** Sum of the durations. */
  mediaUnits: number
  /** How often sound left the count of its samples. */
  reanchored: number
}

export function timeTrack(
  config: CodecConfig,
  table: SampleTable,
  range: { first: number; end: number },
  lastDurationMs?: number,
): TrackTiming {
  return config.track === 'video' ? timeVideo(table, range, lastDurationMs) : timeAudio(config, table, range)
}

function timeVideo(
  table: SampleTable,
  { first, end }: { first: number; end: number },
  lastDurationMs?: number,
): TrackTiming {
  const durations = new Uint32Array(end - first)
  let shiftMs = 0
  for (let i = first; i < end; i += 1) {
    if (i + 1 < end) durations[i - first] = table.dtsMs(i + 1) - table.dtsMs(i)
    shiftMs = Math.max(shiftMs, -table.compositionMs(i))
  }
  durations[end - first - 1] = lastDurationMs ?? medianDuration(durations.subarray(0, -1))
  const startMs = table.dtsMs(first) - shiftMs
  return {
    first,
    end,
    timescale: movieTimescale,
    startMs,
    shiftMs,
    durations,
    mediaUnits: sum(durations),
    reanchored: 0,
  }
}

function medianDuration(durations: Uint32Array): number {
  if (durations.length === 0) return lonePictureMs
  const sorted = durations.slice(-medianOf).sort()
  return Math.max(1, sorted[sorted.length >> 1] ?? lonePictureMs)
}

function timeAudio(
  config: AudioConfig,
  table: SampleTable,
  { first, end }: { first: number; end: number },
): TrackTiming {
  const rate = config.sampleRate
  const rounding = rate / 1000
  const durations = new Uint32Array(end - first)
  const startMs = table.ptsMs(first)
  let reanchored = 0
  let at = 0 // Media time of sample i.
  for (let i = first; i < end; i += 1) {
    const frame = frameSamples(config, table.sizeBytes(i))
    durations[i - first] = frame
    if (i + 1 === end) break
    const stamp = Math.round(((table.ptsMs(i + 1) - startMs) * rate) / 1000)
    if (Math.abs(stamp - (at + frame)) >= Math.max(frame - rounding, rounding)) {
      durations[i - first] = Math.max(0, stamp - at)
      reanchored += 1
    }
    at += durations[i - first] ?? 0
  }
  return {
    first,
    end,
    timescale: rate,
    startMs,
    shiftMs: 0,
    durations,
    mediaUnits: sum(durations),
    reanchored,
  }
}

function frameSamples(config: AudioConfig, sizeBytes: number): number {
  if (config.codec === 'aac') return config.frameSamples || 1024
  if (config.codec === 'g711a' || config.codec === 'g711u') return Math.floor(sizeBytes / config.channels)
  throw new AppError('InvalidArgument', `MP4: ${config.codec} sound is not written, convert it to AAC first`)
}

function sum(durations: Uint32Array): number {
  let total = 0
  for (const duration of durations) total += duration
  return total
}
