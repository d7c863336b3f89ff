import { audioChildBacklogBytesMax, audioChildStallMs, ffmpegComplaintMax } from '../../shared/limits.ts'
import { aacBitRate, aacPrimingSamples } from '../../shared/media/aac-encoding.ts'
import type { AccessUnit, AudioConfig } from '../../shared/media/access-unit.ts'
import { AdtsStream } from '../../shared/media/adts-stream.ts'
import { matroskaHead, matroskaUnit } from '../../shared/media/matroska-sound.ts'
import { unitSamples } from '../../shared/media/sound-config.ts'
import { type FfmpegChild, spawnFfmpeg } from '../../shared/node/ffmpeg-child.ts'
import { type SoundTime, SoundTimes } from './sound-times.ts'

export type AacChildOptions = {
  bin: string
  /** Of what goes in, and of the AAC that comes out. */
  from: AudioConfig
  to: AudioConfig
  onUnit: (unit: AccessUnit) => void
  /** It has ended, or was ended because it kept nobody's time. Comes once, and not after `kill`. */
  onEnd: (why: string) => void
  spawn?: typeof spawnFfmpeg
}

/** One FFmpeg that makes AAC of one stream's sound, for as long as it lives. What it does not take in time is its end. */
export class AacChild {
  readonly #options: AacChildOptions
  readonly #child: FfmpegChild
  readonly #adts = new AdtsStream()
  readonly #times: SoundTimes
  #taken = 0
  #frames = 0
  /** When it was given something first since it gave anything. */
  #waitingSinceMs: number | undefined
  #over = false

  constructor(options: AacChildOptions) {
    this.#options = options
    const { bin, from, to, spawn = spawnFfmpeg } = options
    this.#times = new SoundTimes(from.sampleRate)
    this.#child = spawn({ bin, args: arguments_(from, to), fileBytesMax: 0 })
    this.#child.stdout.on('data', (bytes: Buffer) => this.#read(bytes))
    this.#child.stdout.on('error', () => undefined) // Its end tells.
    this.#child.exited.then(
      (code) =>
        this.#end(
          this.#child.complaint().slice(-ffmpegComplaintMax).trim() || `it ended (${code ?? 'killed'})`,
        ),
      (cause: unknown) => this.#end(cause instanceof Error ? cause.message : 'it could not be started'),
    )
    this.#child.stdin.write(matroskaHead(from))
  }

  /** `nowMs`: monotonic. */
  push(unit: AccessUnit, nowMs: number): void {
    if (this.#over) return
    const { from } = this.#options
    const [bytes = new Uint8Array()] = unit.nalUnits
    const samples = unitSamples(from, bytes)
    if (samples === 0) return
    this.#waitingSinceMs ??= nowMs
    const isStalled = nowMs - this.#waitingSinceMs > audioChildStallMs
    if (isStalled || this.#child.stdin.writableLength > audioChildBacklogBytesMax) {
      this.#child.kill()
      this.#end('it stopped taking sound')
      return
    }
    this.#times.took(unit, samples)
    // By the count of samples, not the true times: FFmpeg must neither fill nor drop anything.
    this.#child.stdin.write(matroskaUnit(from, bytes, (this.#taken * 1000) / from.sampleRate))
    this.#taken += samples
  }

  kill(): void {
    this.#over = true
    this.#child.kill()
  }

  #read(bytes: Buffer): void {
    if (this.#over) return
    this.#waitingSinceMs = undefined
    for (const { payload } of this.#adts.push(bytes)) this.#give(payload)
  }

  #give(payload: Uint8Array): void {
    const { to, onUnit } = this.#options
    const first = this.#frames * to.frameSamples - aacPrimingSamples
    this.#frames += 1
    const end = first + to.frameSamples
    const time = this.#times.timeOf(first / to.sampleRate, end / to.sampleRate)
    if (time) onUnit(aacUnit(to, payload, time))
  }

  #end(why: string): void {
    if (this.#over) return
    this.#over = true
    this.#options.onEnd(why)
  }
}

export function aacUnit(
  config: AudioConfig,
  payload: Uint8Array,
  { ptsMs, arrivalMs, epoch, timeSource }: SoundTime,
): AccessUnit {
  const body = { nalUnits: [payload], sizeBytes: payload.length, randomAccess: true, idr: false }
  return { track: 'audio', config, ...body, dtsMs: ptsMs, ptsMs, arrivalMs, epoch, timeSource }
}

// Nothing is looked at beforehand and nothing gathered: each unit is decoded as it comes, each frame written at once.
const inputArgs = ['-probesize', '32', '-analyzeduration', '0']
const outputArgs = ['-aac_coder', 'fast', '-flush_packets', '1', '-f', 'adts', 'pipe:1']

function arguments_(from: AudioConfig, to: AudioConfig): string[] {
  const shape = ['-ar', String(to.sampleRate), '-ac', String(to.channels), '-b:a', String(aacBitRate(from))]
  return [...inputArgs, '-f', 'matroska', '-i', 'pipe:0', '-vn', '-c:a', 'aac', ...shape, ...outputArgs]
}
