import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../shared/error.ts'
import { jobTimeoutMs, soundSilenceSamples } from '../../shared/limits.ts'
import { aacBitRate, aacPrimingSamples, aacRate } from '../../shared/media/aac-encoding.ts'
import type { AudioConfig } from '../../shared/media/access-unit.ts'
import { AdtsStream } from '../../shared/media/adts-stream.ts'
import { matroskaHead, matroskaUnit } from '../../shared/media/matroska-sound.ts'
import type { MovieTrack } from '../../shared/media/mp4/movie.ts'
import { SampleTable } from '../../shared/media/mp4/sample-table.ts'
import { PcmCanvas, type Sounding } from '../../shared/media/pcm-canvas.ts'
import { unitSamples } from '../../shared/media/sound-config.ts'
import { streamFfmpeg } from '../../shared/node/ffmpeg-stream.ts'

/** One unit of the original sound. */
export type SoundUnit = { ptsMs: number; bytes: Uint8Array }

type Options = {
  /** From `findFfmpeg`. */
  bin: string
  config: AudioConfig
  units: AsyncIterable<SoundUnit>
  /** Timeline ms: the track's first sound is at or after `fromMs`, the last ends before `toMs`. */
  fromMs: number
  toMs?: number
  /** A directory for the frames, which are as many bytes as the track. */
  directory: string
  /** The number of the file among the movie's sources. */
  source: number
  signal: AbortSignal
}

/** A track of AAC whose frames lie one behind the other in `path`. */
export type AacTrack = MovieTrack & { path: string }

/**
 * Sound of any codec as AAC at its true times, to the sample: units → PCM → a line of samples on which each has its
 * place → AAC. Frames that would hold only silence, where sound is missing, are left out, so that a gap stays one.
 * Undefined when there is no sound in the range. Throws what `units` throws; `InvalidArgument` when FFmpeg cannot.
 */
export async function aacTrack(options: Options): Promise<AacTrack | undefined> {
  const { config, units, fromMs, toMs, directory, source, signal, bin } = options
  const path = join(directory, `${source}.aac`)
  const canvas = new PcmCanvas({ fromMs, ...(toMs !== undefined && { toMs }), rate: config.sampleRate })
  const child = { bin, cpuS: jobTimeoutMs / 1000, signal }
  const queue: Decoding[] = []
  const input = matroska(config, units, queue)
  const pcm = streamFfmpeg({ ...child, args: decodeArgs(config), input })
  const placed = place(pcm, queue, { canvas, frameBytes: config.channels * 2 })
  const adts = streamFfmpeg({ ...child, args: encodeArgs(config), input: placed })
  await using file = await open(path, 'wx')
  const frames = await writeFrames(adts, file)
  if (!frames || canvas.sounding.length === 0) return undefined
  const samplesOut = frames.config.sampleRate / config.sampleRate
  return { ...movieTrack(frames, canvas.sounding, { fromMs, source, samplesOut }), path }
}

/** A unit that FFmpeg has, and whose samples are still to come. */
type Decoding = { ptsMs: number; samples: number }

async function* matroska(
  config: AudioConfig,
  units: AsyncIterable<SoundUnit>,
  queue: Decoding[],
): AsyncGenerator<Uint8Array> {
  yield matroskaHead(config)
  let before = 0
  for await (const { ptsMs, bytes } of units) {
    const samples = unitSamples(config, bytes)
    if (samples === 0) continue
    queue.push({ ptsMs, samples })
    // By the count of samples, not the true times: FFmpeg must neither fill nor drop anything.
    yield matroskaUnit(config, bytes, (before * 1000) / config.sampleRate)
    before += samples
  }
}

/** Each unit takes its samples from what is decoded, in order, and goes to its place. */
async function* place(
  pcm: AsyncIterable<Buffer>,
  queue: Decoding[],
  { canvas, frameBytes }: { canvas: PcmCanvas; frameBytes: number },
): AsyncGenerator<Uint8Array> {
  let held: Buffer = Buffer.alloc(0)
  for await (const bytes of pcm) {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes])
    for (let next = queue[0]; next && next.samples * frameBytes <= held.length; next = queue[0]) {
      const { silence, skip, samples } = canvas.place(next.ptsMs, next.samples)
      yield* silenceOf(silence, frameBytes)
      if (samples > 0) yield held.subarray(skip * frameBytes, (skip + samples) * frameBytes)
      held = held.subarray(next.samples * frameBytes)
      queue.shift()
    }
  }
  if (queue.length > 0) {
    throw new AppError('InvalidArgument', `FFmpeg decoded nothing of ${queue.length} units of sound.`)
  }
}

function* silenceOf(samples: number, frameBytes: number): Generator<Uint8Array> {
  for (let left = samples; left > 0; left -= soundSilenceSamples)
    yield new Uint8Array(Math.min(left, soundSilenceSamples) * frameBytes)
}

function decodeArgs({ sampleRate, channels }: AudioConfig): string[] {
  return ['-f', 'matroska', '-i', 'pipe:0', '-vn', ...pcmArgs(sampleRate, channels), 'pipe:1']
}

function pcmArgs(sampleRate: number, channels: number): string[] {
  return ['-f', 's16le', '-ar', String(sampleRate), '-ac', String(channels)]
}

function encodeArgs(config: AudioConfig): string[] {
  const { sampleRate, channels } = config
  return [
    ...[...pcmArgs(sampleRate, channels), '-i', 'pipe:0', '-c:a', 'aac', '-b:a', String(aacBitRate(config))],
    ...['-ar', String(aacRate(config)), '-flags', '+bitexact', '-f', 'adts', 'pipe:1'],
  ]
}

type Frames = { config: AudioConfig; sizes: number[] }

async function writeFrames(adts: AsyncIterable<Buffer>, file: FileHandle): Promise<Frames | undefined> {
  const stream = new AdtsStream()
  const sizes: number[] = []
  let config: AudioConfig | undefined
  for await (const bytes of adts) {
    const frames = stream.push(bytes)
    if (frames.length === 0) continue
    config ??= frames[0]?.config
    for (const { payload } of frames) sizes.push(payload.length)
    await file.writev(frames.map(({ payload }) => payload))
  }
  return config && { config, sizes }
}

type Place = {
  fromMs: number
  source: number
  /** Samples of AAC for one of the canvas: 1 but for rates that AAC does not have. */
  samplesOut: number
}

/**
 * Frame n begins `aacPrimingSamples` before the n · 1024th sample of the line, and is heard only together with the one
 * before it. So of a range of sound all frames are needed that it touches, and one before them.
 */
function movieTrack(
  { config, sizes }: Frames,
  sounding: readonly Sounding[],
  { fromMs, source, samplesOut }: Place,
): MovieTrack {
  const { frameSamples, sampleRate } = config
  const begin = Math.round((sounding[0]?.from ?? 0) * samplesOut)
  const beginOf = (n: number) => begin + n * frameSamples - aacPrimingSamples
  const isHeard = heard(sounding, samplesOut)
  const kept = sizes.flatMap((_, n) => (isHeard(beginOf(n), beginOf(n + 2)) ? [n] : []))
  const samples = new SampleTable().from(source, 'raw')
  const durations = Uint32Array.from(kept, (n, i) => ((kept[i + 1] ?? n + 1) - n) * frameSamples)
  const msOf = (sample: number) => fromMs + (sample * 1000) / sampleRate
  const offsets = offsetsOf(sizes)
  for (const n of kept) {
    const ms = Math.round(msOf(beginOf(n)))
    samples.push({ dtsMs: ms, ptsMs: ms, sizeBytes: sizes[n] ?? 0, offset: offsets[n] ?? 0, sync: true })
  }
  const shown = {
    fromMs: Math.round(msOf(begin)),
    toMs: Math.ceil(msOf((sounding.at(-1)?.to ?? 0) * samplesOut)),
    mediaFrom: begin - beginOf(kept[0] ?? 0),
  }
  return { config, samples, encoded: { shown, durations } }
}

/** Whether there is sound in a range of samples; ranges are asked for in their order. */
function heard(sounding: readonly Sounding[], samplesOut: number): (from: number, to: number) => boolean {
  let next = 0
  return (from, to) => {
    while ((sounding[next]?.to ?? Infinity) * samplesOut <= from) next += 1
    return (sounding[next]?.from ?? Infinity) * samplesOut < to
  }
}

function offsetsOf(sizes: readonly number[]): number[] {
  let offset = 0
  return sizes.map((sizeBytes) => {
    offset += sizeBytes
    return offset - sizeBytes
  })
}
