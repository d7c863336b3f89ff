import type { AccessUnit, AudioConfig, CodecConfig } from '../../shared/media/access-unit.ts'
import type { SoundStream, StreamSound } from './stream-sound.ts'

export type Listener = { unit(unit: AccessUnit): void; end(reason: string): void }

type Options = {
  stream: SoundStream
  plays: (config: CodecConfig) => boolean
  listener: Listener
  /** Undefined: there will be no sound. */
  open: (config: AudioConfig) => Pick<StreamSound, 'kept' | 'silenceAt' | 'listen'> | undefined
}

/**
 * One reader of a stream whose sound it may not play: pictures go through as they come, sound that it plays, too;
 * other sound is replaced by what is made of it, which comes a little later than the pictures of its time.
 */
export class Listening implements Disposable {
  readonly #options: Options
  readonly #subscription: Disposable
  #sound: ReturnType<Options['open']>
  #heard: Disposable | undefined
  #refused = false
  #announced = false
  /** Of the newest picture: sound of an earlier one comes too late. */
  #epoch: number | undefined
  /** Made before this reader came, for the pictures that it is given first. */
  #kept: readonly AccessUnit[] = []

  constructor(options: Options) {
    this.#options = options
    const { stream, plays, listener } = options
    if (stream.audio && !plays(stream.audio)) this.#open(stream.audio)
    this.#subscription = stream.subscribe({
      unit: (unit) => this.#unit(unit),
      end: (reason) => {
        this.#heard?.[Symbol.dispose]()
        listener.end(reason)
      },
    })
    this.#giveKept(Number.POSITIVE_INFINITY)
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
    this.#heard?.[Symbol.dispose]()
  }

  #open(config: AudioConfig): void {
    this.#sound = this.#options.open(config)
    this.#refused = this.#sound === undefined
    this.#kept = this.#sound?.kept ?? []
    this.#heard = this.#sound?.listen((unit) => this.#give(unit))
  }

  #unit(unit: AccessUnit): void {
    const { plays, listener } = this.#options
    if (unit.config.track === 'video') this.#picture(unit)
    else if (plays(unit.config)) listener.unit(unit)
    else if (!this.#sound && !this.#refused) {
      this.#open(unit.config)
      if (unit.epoch === this.#epoch) this.#announce(unit)
    }
  }

  #picture(unit: AccessUnit): void {
    this.#epoch = unit.epoch
    this.#announce(unit)
    this.#giveKept(unit.dtsMs)
    this.#options.listener.unit(unit)
  }

  /** Players decide at the first picture whether there will be sound. */
  #announce(unit: AccessUnit): void {
    const silence = this.#announced ? undefined : this.#sound?.silenceAt(unit)
    this.#announced ||= silence !== undefined
    if (silence) this.#options.listener.unit(silence)
  }

  #giveKept(untilMs: number): void {
    while (this.#kept[0] && this.#kept[0].ptsMs <= untilMs) {
      const [first, ...rest] = this.#kept
      this.#kept = rest
      if (first) this.#give(first)
    }
  }

  #give(unit: AccessUnit): void {
    if (this.#epoch === undefined || unit.epoch === this.#epoch) this.#options.listener.unit(unit)
  }
}
