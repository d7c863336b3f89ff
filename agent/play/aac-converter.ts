import {
  audioChildBackoffBaseMs,
  audioChildBackoffMaxMs,
  audioChildStableMs,
  audioKeptFramesMax,
} from '../../shared/limits.ts'
import { aacLcConfig, silentAacFrame } from '../../shared/media/aac-encoding.ts'
import type { AccessUnit, AudioConfig } from '../../shared/media/access-unit.ts'
import { unitSamples } from '../../shared/media/sound-config.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { backoffMs } from '../../shared/node/retry.ts'
import { AacChild, type AacChildOptions, aacUnit } from './aac-child.ts'

export type ConverterOptions = {
  bin: string
  config: AudioConfig
  clock: Clock
  random: () => number
  onUnit: (unit: AccessUnit) => void
  onFailed: (why: string) => void
  spawn?: AacChildOptions['spawn']
}

/** Frames of 32 ms and less, whose rate browsers and mpegts.js take for what it is (below 32 kHz they guess HE-AAC). */
const rates = [32_000, 44_100, 48_000]

/**
 * The sound of one stream, in one configuration, as AAC while somebody listens. A child that fails is started again,
 * later each time; until then there is silence, since players stand still when a track that they were promised ends.
 */
export class AacConverter implements Disposable {
  readonly config: AudioConfig
  readonly #options: ConverterOptions
  readonly #silence: Uint8Array
  readonly #frameMs: number
  #child: AacChild | undefined
  #startedMs = 0
  #failures = 0
  #startAtMs = 0
  /** Timeline ms at which what was given ends, and in which epoch. */
  #end: { ms: number; epoch: number } | undefined
  #kept: AccessUnit[] = []

  constructor(options: ConverterOptions) {
    this.#options = options
    const { sampleRate, channels } = options.config
    const shape = {
      sampleRate: rates.includes(sampleRate) ? sampleRate : 32_000,
      channels: channels === 1 ? 1 : 2,
    } as const
    this.config = aacLcConfig(shape)
    this.#silence = silentAacFrame(shape.channels)
    this.#frameMs = (this.config.frameSamples * 1000) / shape.sampleRate
  }

  /** The frames since the stream's newest key frame: whoever joins now is given its pictures from there on. */
  get kept(): readonly AccessUnit[] {
    return this.#kept
  }

  /** One frame of silence, to say that there is sound. */
  silenceAt(unit: AccessUnit): AccessUnit {
    return aacUnit(this.config, this.#silence, { ...unit, ptsMs: unit.dtsMs })
  }

  /** A unit of the stream's sound. */
  push(unit: AccessUnit): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (!this.#child && nowMs >= this.#startAtMs) this.#start(nowMs)
    if (this.#child) this.#child.push(unit, nowMs)
    else this.#beSilent(unit)
  }

  /** The stream's key frame: what is before it, nobody is given any more. */
  keyFrame({ dtsMs, epoch }: AccessUnit): void {
    this.#kept = this.#kept.filter((unit) => unit.epoch === epoch && unit.ptsMs >= dtsMs)
  }

  [Symbol.dispose](): void {
    this.#child?.kill()
    this.#child = undefined
    this.#startAtMs = Number.POSITIVE_INFINITY
  }

  #start(nowMs: number): void {
    const { bin, config, spawn } = this.#options
    this.#startedMs = nowMs
    const child: AacChild = new AacChild({
      ...{ bin, from: config, to: this.config },
      onUnit: (unit) => this.#give(unit),
      onEnd: (why) => {
        if (this.#child === child) this.#failed(why)
      },
      ...(spawn && { spawn }),
    })
    this.#child = child
  }

  #failed(why: string): void {
    const { clock, random, onFailed } = this.#options
    const nowMs = clock.monotonicMs()
    this.#child = undefined
    this.#failures = nowMs - this.#startedMs > audioChildStableMs ? 1 : this.#failures + 1
    const backoff = { baseMs: audioChildBackoffBaseMs, maxMs: audioChildBackoffMaxMs }
    this.#startAtMs = nowMs + backoffMs(this.#failures, backoff, random)
    onFailed(why)
  }

  /** For as long as the unit lasts, from where the sound ended. */
  #beSilent(unit: AccessUnit): void {
    const { config } = this.#options
    const [bytes = new Uint8Array()] = unit.nalUnits
    const untilMs = unit.ptsMs + (unitSamples(config, bytes) * 1000) / config.sampleRate
    const end = this.#end?.epoch === unit.epoch ? this.#end.ms : unit.ptsMs
    const fromMs = untilMs - end > maxSilenceMs ? unit.ptsMs : end
    for (let ms = fromMs; ms < untilMs; ms += this.#frameMs)
      this.#give(aacUnit(this.config, this.#silence, { ...unit, ptsMs: Math.round(ms) }))
  }

  #give(unit: AccessUnit): void {
    this.#end = { ms: unit.ptsMs + this.#frameMs, epoch: unit.epoch }
    if (this.#kept.length >= audioKeptFramesMax) this.#kept = this.#kept.slice(audioKeptFramesMax / 2)
    this.#kept.push(unit)
    this.#options.onUnit(unit)
  }
}

const maxSilenceMs = 1000 // Beyond it the source itself was silent: that is not filled.
