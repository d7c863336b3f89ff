import { createReadStream } from 'node:fs'
import { AppError } from '../../shared/error.ts'
import type { AudioConfig } from '../../shared/media/access-unit.ts'
import type { MovieTrack } from '../../shared/media/mp4/movie.ts'
import { ReadCursor, toMovieBytes } from '../../shared/media/mp4/reads.ts'
import { makeTempDir } from '../../shared/node/temp-dir.ts'
import type { ByteRange, ObjectStore } from '../ports.ts'
import { aacTrack, type SoundUnit } from './export-sound.ts'
import { type MediaSource, PartReaders } from './part-readers.ts'

export type Find = () => Promise<string | undefined>

export type PartSound = {
  tracks: MovieTrack[]
  sources: MediaSource[]
  /** Timeline ms. */
  range: { fromMs: number; toMs?: number }
  signal: AbortSignal
  find: Find
}

const missing = 'FFmpeg was not found'
const failed = 'FFmpeg could not convert the sound'

/**
 * Sound that is not AAC becomes AAC, in place: `tracks` and `sources` then name the new one, whose file goes with
 * `stack`. Where that cannot be, the movie goes on with G.711 as it came, which some players know, or without sound;
 * then the answer says so.
 */
export async function makeAac(part: PartSound, stack: AsyncDisposableStack): Promise<string | undefined> {
  const at = part.tracks.findIndex(({ config }) => config.track === 'audio' && config.codec !== 'aac')
  const track = part.tracks[at]
  if (track?.config.track !== 'audio') return undefined
  const made = await converted(part, { ...track, config: track.config, at }, stack)
  if (typeof made !== 'string') {
    part.tracks.splice(at, 1, ...made)
    return undefined
  }
  const { codec, codecString } = track.config
  if (codec === 'g711a' || codec === 'g711u') return `${made}: the sound is ${codecString} as it came.`
  part.tracks.splice(at, 1)
  return `${made}: the sound (${codecString}) is left out.`
}

type Sound = MovieTrack & { config: AudioConfig; at: number }

/** A track, none where there is no sound to hear, or the reason why not. */
async function converted(part: PartSound, sound: Sound, stack: AsyncDisposableStack) {
  const bin = await part.find()
  if (bin === undefined) return missing
  const directory = stack.use(await makeTempDir('sound')).path
  const source = part.sources.length
  const { config } = sound
  const { range, signal } = part
  let readError: { cause: unknown } | undefined
  const units = watched(soundUnits(part, sound), (cause) => {
    readError = { cause }
  })
  try {
    const made = await aacTrack({ bin, config, units, ...range, directory, source, signal })
    if (!made) return []
    part.sources.push({ store: fileStore, key: made.path })
    return [made]
  } catch (cause) {
    signal.throwIfAborted()
    if (readError) throw readError.cause
    if (AppError.from(cause).kind === 'Internal') throw cause
    return failed
  }
}

/** The units of a track in their order, each compared with its checksum. */
async function* soundUnits({ sources }: PartSound, { samples, at }: Sound): AsyncGenerator<SoundUnit> {
  await using readers = new PartReaders(sources)
  for (const read of new ReadCursor(samples, at, 0).until(samples.length)) {
    const reader = readers.readerOf(read.source, at)
    const bytes = toMovieBytes(samples, read, await reader.read(read.offset, read.sizeBytes), { check: true })
    let offset = 0
    for (let i = read.firstSample; i < read.firstSample + read.samples; i += 1) {
      const end = offset + samples.sizeBytes(i)
      yield { ptsMs: samples.ptsMs(i), bytes: bytes.subarray(offset, end) }
      offset = end
    }
  }
}

async function* watched<T>(from: AsyncIterable<T>, onError: (cause: unknown) => void): AsyncGenerator<T> {
  try {
    yield* from
  } catch (cause) {
    onError(cause)
    throw cause
  }
}

/** A file of ours beside the objects of the store. */
const fileStore: Pick<ObjectStore, 'get'> = {
  get: async (path: string, { start, end }: ByteRange = { start: 0 }) =>
    createReadStream(path, { start, ...(end !== undefined && { end: end - 1 }) }),
}
