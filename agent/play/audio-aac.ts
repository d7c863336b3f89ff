import { audioChildrenMax } from '../../shared/limits.ts'
import type { AudioConfig, CodecConfig } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { AacChildOptions } from './aac-child.ts'
import { type Listener, Listening } from './listening.ts'
import { type SoundStream, StreamSound } from './stream-sound.ts'

export type HeardStream = Pick<SoundStream, 'startedAtMs' | 'subscribe'>

export type AacSoundEvent =
  | { type: 'failed'; stream: string; why: string }
  /** Viewers of this stream get no sound: FFmpeg is not there, or makes sound for too many others. */
  | { type: 'left-out'; stream: string; why: 'no-ffmpeg' | 'too-many' }

export type AacSoundFigures = {
  /** Streams whose sound is made AAC now. */
  children: number
  /** Children that ended by themselves and were started again. */
  failed: number
  /** Times that somebody got a stream without its sound, because it could not be made. */
  leftOut: number
}

export type AacSound = Disposable & {
  readonly figures: Readonly<AacSoundFigures>
  /** The same stream, with sound that these players play; the same object for the same two. */
  of(stream: SoundStream, plays: (config: CodecConfig) => boolean): HeardStream
}

type Options = {
  /** From `findFfmpeg`; asked for at the start and again when somebody listens while there is none. */
  find: () => Promise<string | undefined>
  clock: Clock
  onEvent: (event: AacSoundEvent) => void
  random?: () => number
  spawn?: AacChildOptions['spawn']
}

/**
 * Sound for players that do not know the stream's own: one FFmpeg for each stream that somebody listens to makes AAC
 * of it. Pictures never wait for it.
 */
export async function createAacSound(options: Options): Promise<AacSound> {
  return new Sounds({ random: Math.random, ...options }, await options.find())
}

type Rule = (config: CodecConfig) => boolean

class Sounds implements AacSound {
  readonly figures = { children: 0, failed: 0, leftOut: 0 }
  readonly #options: Options & { random: () => number }
  readonly #heard = new WeakMap<SoundStream, Map<Rule, HeardStream>>()
  readonly #sounds = new Map<SoundStream, StreamSound>()
  #bin: string | undefined
  #looking = false

  constructor(options: Options & { random: () => number }, bin: string | undefined) {
    this.#options = options
    this.#bin = bin
  }

  of(stream: SoundStream, plays: Rule): HeardStream {
    const known = this.#heard.get(stream) ?? new Map<Rule, HeardStream>()
    this.#heard.set(stream, known)
    const heard = known.get(plays) ?? {
      get startedAtMs() {
        return stream.startedAtMs
      },
      subscribe: (listener: Listener) =>
        new Listening({ stream, plays, listener, open: (config) => this.#open(stream, config) }),
    }
    known.set(plays, heard)
    return heard
  }

  [Symbol.dispose](): void {
    for (const sound of [...this.#sounds.values()]) sound.stop()
  }

  /** Undefined: there will be no sound. */
  #open(stream: SoundStream, config: AudioConfig): StreamSound | undefined {
    const known = this.#sounds.get(stream)
    if (known) return known
    const bin = this.#bin
    if (bin === undefined) this.#lookAgain()
    if (bin === undefined || this.#sounds.size >= audioChildrenMax) {
      this.figures.leftOut += 1
      const why = bin === undefined ? 'no-ffmpeg' : 'too-many'
      this.#options.onEvent({ type: 'left-out', stream: stream.name, why })
      return undefined
    }
    const sound = new StreamSound(stream, config, {
      ...this.#options,
      bin,
      onFailed: (why) => {
        this.figures.failed += 1
        this.#options.onEvent({ type: 'failed', stream: stream.name, why })
      },
      onStopped: () => {
        this.#sounds.delete(stream)
        this.figures.children = this.#sounds.size
      },
    })
    this.#sounds.set(stream, sound)
    this.figures.children = this.#sounds.size
    return sound
  }

  /** For the next one who listens. */
  #lookAgain(): void {
    if (this.#looking) return
    this.#looking = true
    this.#options
      .find()
      .then((bin) => {
        this.#bin = bin
      })
      .finally(() => {
        this.#looking = false
      })
  }
}
