import { audioLingerMs } from '../../shared/limits.ts'
import type { AccessUnit, AudioConfig } from '../../shared/media/access-unit.ts'
import { AacConverter, type ConverterOptions } from './aac-converter.ts'

/** What this needs of a stream of the hub. */
export type SoundStream = {
  readonly name: string
  /** Of its newest sound. */
  readonly audio?: AudioConfig | undefined
  readonly startedAtMs: number | undefined
  subscribe(listener: { unit(unit: AccessUnit): void; end(reason: string): void }): Disposable
}

type Options = Omit<ConverterOptions, 'config' | 'onUnit'> & { onStopped: () => void }

/** One stream's sound as AAC, from the first who listens until a while after the last. */
export class StreamSound {
  readonly #options: Options
  readonly #listeners = new Set<(unit: AccessUnit) => void>()
  readonly #subscription: Disposable
  #source: AudioConfig
  /** Undefined while the stream's own sound is AAC. */
  #converter: AacConverter | undefined
  #last: AccessUnit | undefined
  #linger: AbortController | undefined

  constructor(stream: SoundStream, config: AudioConfig, options: Options) {
    this.#options = options
    this.#source = config
    this.#converter = this.#convert(config)
    this.#subscription = stream.subscribe({ unit: (unit) => this.#unit(unit), end: () => this.stop() })
  }

  /** The frames that belong to the stream's newest GOP. */
  get kept(): readonly AccessUnit[] {
    return this.#converter?.kept ?? []
  }

  /** A frame of silence at the time of a picture, to say that there is sound; undefined where there is none to make. */
  silenceAt(picture: AccessUnit): AccessUnit | undefined {
    return this.#converter?.silenceAt(picture)
  }

  listen(onUnit: (unit: AccessUnit) => void): Disposable {
    this.#linger?.abort()
    this.#linger = undefined
    this.#listeners.add(onUnit)
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(onUnit) && this.#listeners.size === 0) this.#stopLater()
      },
    }
  }

  stop(): void {
    this.#linger?.abort()
    this.#subscription[Symbol.dispose]()
    this.#converter?.[Symbol.dispose]()
    this.#options.onStopped()
  }

  #stopLater(): void {
    const linger = new AbortController()
    this.#linger = linger
    this.#options.clock.sleep(audioLingerMs, linger.signal).then(
      () => {
        if (!linger.signal.aborted) this.stop()
      },
      () => undefined, // Somebody came, or it was stopped.
    )
  }

  #unit(unit: AccessUnit): void {
    if (unit === this.#last) return // One who begins to read while a unit is handed round gets it twice.
    this.#last = unit
    if (unit.config.track === 'video') {
      if (unit.randomAccess) this.#converter?.keyFrame(unit)
      return
    }
    if (unit.config !== this.#source) {
      this.#source = unit.config
      this.#converter?.[Symbol.dispose]()
      this.#converter = this.#convert(unit.config)
    }
    this.#converter?.push(unit)
  }

  #convert(config: AudioConfig): AacConverter | undefined {
    if (config.codec === 'aac') return undefined
    const onUnit = (unit: AccessUnit) => {
      for (const give of this.#listeners) give(unit)
    }
    return new AacConverter({ ...this.#options, config, onUnit })
  }
}
