import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { AudioClock } from '../../shared/media/audio-clock.ts'
import { DecodeTimes } from '../../shared/media/reorder.ts'
import { dataTypes, type Jt1078Packet } from '../protocol/jt1078.ts'
import { type Held, Jt1078Lane, type Jt1078Piece, type LaneRefusal } from '../protocol/jt1078-lane.ts'
import { type ConnectionSequence, Jt1078Sequence } from '../protocol/jt1078-sequence.ts'
import type { Moment } from './flv-units.ts'
import { VehicleClock, type VehicleTime } from './vehicle-clock.ts'
import {
  type PictureLoss,
  type PictureRefusal,
  type VehiclePicture,
  VehiclePictures,
} from './vehicle-pictures.ts'
import { type SoundRefusal, VehicleSound, type VehicleSoundFrames } from './vehicle-sound.ts'

export type VehicleRefusal = LaneRefusal | PictureRefusal | SoundRefusal

export type VehicleOutput = {
  unit(unit: AccessUnit): void
  gap(gap: SourceGap): void
  /** Transparent data (positions, alarms, what the vehicle's maker thought of), whole. */
  data(bytes: Uint8Array, payloadType: number): void
  refused(reason: VehicleRefusal): void
  /** Packets that the numbers say are missing. */
  lost(packets: number): void
}

export type VehicleUnitsOptions = {
  now: Moment
  nextEpoch: () => number
  /** What was recorded, perhaps backwards. */
  plays?: boolean
  /** Of the connection. */
  sequence: ConnectionSequence
  held: Held
  output: VehicleOutput
}

const lanes = { picture: 0, sound: 1, data: 2 } as const

/**
 * Packets of one channel of one connection → access units on one timeline. What is missing, or could not be read, is
 * the gap before the next picture (the next sound, if there are no pictures).
 */
export class VehicleUnits {
  readonly #output: VehicleOutput
  readonly #sequence: Jt1078Sequence
  readonly #lanes: readonly [Jt1078Lane, Jt1078Lane, Jt1078Lane]
  readonly #pictures: VehiclePictures
  readonly #sound: VehicleSound
  readonly #clock: VehicleClock
  readonly #decodeTimes = new DecodeTimes(0)
  readonly #plays: boolean
  #frames: { config: AccessUnit['config']; clock: AudioClock } | undefined
  /** Timeline ms of the newest picture and sound. */
  readonly #newest: { video?: number; audio?: number } = {}
  /** Packets are missing since the last sound: told of where there are no pictures. */
  #isSoundLossy = false

  constructor({ now, nextEpoch, sequence, held, output, plays = false }: VehicleUnitsOptions) {
    this.#output = output
    this.#plays = plays
    this.#sequence = new Jt1078Sequence(sequence)
    this.#clock = new VehicleClock(now, nextEpoch, { plays })
    const refused = (reason: VehicleRefusal) => output.refused(reason)
    this.#pictures = new VehiclePictures(held, refused)
    this.#sound = new VehicleSound(refused)
    const pictures = new Jt1078Lane(held, (reason) => {
      if (reason === 'part-without-first') this.#lost()
      else if (reason === 'too-large') this.#pictures.missed()
      refused(reason)
    })
    this.#lanes = [pictures, new Jt1078Lane(held, refused), new Jt1078Lane(held, refused)]
  }

  /** Timeline ms of the newest unit. */
  get lastPtsMs(): number | undefined {
    const { video, audio } = this.#newest
    return video === undefined ? audio : Math.max(video, audio ?? video)
  }

  /** Never throws. `arrivalMs`: monotonic. */
  packet(packet: Jt1078Packet, arrivalMs: number): void {
    const lane = laneOf(packet)
    const missing = this.#sequence.next(packet.sequence, lane)
    if (missing > 0) {
      this.#lost()
      this.#output.lost(missing)
    }
    for (const piece of this.#lanes[lane].push(packet, arrivalMs, missing > 0)) this.#piece(piece)
  }

  /**
   * Time goes by: pictures that are complete, parts that were given up. `heardMs`: of the connection's newest packet;
   * while nothing comes at all, the rest of a picture is still on its way.
   */
  tick(nowMs: number, heardMs: number): void {
    for (const lane of this.#lanes) for (const piece of lane.tick(heardMs)) this.#piece(piece)
    for (const picture of this.#pictures.tick(nowMs)) this.#picture(picture)
  }

  /** Nothing follows. */
  end(): void {
    for (const lane of this.#lanes) for (const piece of lane.end()) this.#piece(piece)
    for (const picture of this.#pictures.end()) this.#picture(picture)
    for (const frames of this.#sound.end()) this.#soundFrames(frames)
    const { video, audio } = this.#newest
    if (video !== undefined) this.#tellGap(video, this.#pictures.loss)
    else if (audio !== undefined) this.#tellGap(audio, { isLossy: this.#isSoundLossy, missed: 0 })
  }

  #piece(piece: Jt1078Piece): void {
    if (piece.damaged) this.#lost()
    if (piece.dataType === dataTypes.transparent) this.#output.data(piece.bytes, piece.payloadType)
    else if (piece.dataType === dataTypes.audio) {
      for (const frames of this.#sound.push(piece)) this.#soundFrames(frames)
    } else for (const picture of this.#pictures.push(piece)) this.#picture(picture)
  }

  #picture({ picture: parsed, loss, timestampMs, arrivalMs }: VehiclePicture): void {
    const { damaged, ...picture } = parsed
    const time = this.#clock.picture(timestampMs, arrivalMs)
    const depth = picture.config.reorderDepth
    if (time.epochStarted) {
      this.#decodeTimes.restart(depth)
      this.#frames?.clock.restart()
    } else this.#decodeTimes.deepen(depth)
    const { dtsMs, ptsMs } = this.#decodeTimes.next(time.ptsMs)
    this.#tellGap(ptsMs, loss)
    const hurt = damaged ? { damaged: true } : {}
    const source = this.#plays && typeof timestampMs === 'number' ? { sourceMs: timestampMs } : {}
    this.#unit({ track: 'video', ...picture, dtsMs, ptsMs, arrivalMs, ...about(time), ...hurt, ...source })
  }

  #soundFrames({ config, frames, timestampMs, arrivalMs }: VehicleSoundFrames): void {
    if (this.#frames?.config !== config) this.#frames = { config, clock: new AudioClock(config) }
    const { clock } = this.#frames
    const time = this.#clock.sound(timestampMs, arrivalMs)
    if (time.epochStarted) clock.restart()
    if (this.#newest.video === undefined) {
      this.#tellGap(time.ptsMs, { isLossy: this.#isSoundLossy, missed: 0 })
      this.#isSoundLossy = false
    }
    for (const [at, frame] of frames.entries()) {
      const stampMs = time.ptsMs + Math.round((at * config.frameSamples * 1000) / config.sampleRate)
      const { ptsMs } = clock.next(stampMs)
      const always = { track: 'audio', config, randomAccess: true, idr: false } as const
      const bytes = { nalUnits: [frame], sizeBytes: frame.length }
      this.#unit({ ...always, ...bytes, dtsMs: ptsMs, ptsMs, arrivalMs, ...about(time) })
    }
  }

  #unit(unit: AccessUnit): void {
    const { track, ptsMs } = unit
    this.#newest[track] = Math.max(this.#newest[track] ?? ptsMs, ptsMs)
    this.#output.unit(unit)
  }

  #tellGap(toMs: number, { isLossy, missed: units }: PictureLoss): void {
    const lastMs = this.#newest.video ?? this.#newest.audio
    if (lastMs === undefined || (!isLossy && units === 0)) return
    const fromMs = Math.min(lastMs, toMs)
    this.#output.gap(
      isLossy ? { fromMs, toMs, cause: 'sequence' } : { fromMs, toMs, cause: 'bad-packet', units },
    )
  }

  #lost(): void {
    this.#isSoundLossy = true
    this.#pictures.lost()
  }
}

function laneOf({ dataType }: Jt1078Packet): 0 | 1 | 2 {
  if (dataType === dataTypes.transparent) return lanes.data
  return dataType === dataTypes.audio ? lanes.sound : lanes.picture
}

function about({ epoch, timeSource }: VehicleTime) {
  return { epoch, timeSource }
}
