import type { Manifest } from '../../shared/contract/segment.ts'
import type { AudioHeader, SegmentHeader } from '../../shared/contract/segment-header.ts'
import { audioHeaderOf, videoHeaderOf } from '../../shared/contract/segment-header.ts'
import type { AccessUnit, SourceGap, VideoConfig } from '../../shared/media/access-unit.ts'
import type { IndexGap } from '../../shared/media/index-record.ts'
import type {
  AppendResult,
  NewSegment,
  SegmentEnd,
  SegmentKey,
  SegmentWriter,
  WriteFailure,
} from './types.ts'

/** What a writer needs of the ring. */
export type WriterPort = {
  append(unit: AccessUnit, duplicate: boolean): { result: AppendResult; bytes: number }
  gap(gap: IndexGap): void
  addAudio(audio: AudioHeader): void
  seal(end: SegmentEnd): Promise<Manifest | undefined>
  arrivalUs(arrivalMs: number): number
}

export class RingSegmentWriter implements SegmentWriter {
  readonly key: SegmentKey
  units = 0
  bytes = 0
  failure: WriteFailure | undefined
  readonly #port: WriterPort
  #hasAudio: boolean
  #sealed: Promise<Manifest | undefined> | undefined

  constructor(segment: NewSegment, port: WriterPort) {
    const { stream, epoch, seq } = segment
    this.key = { stream, epoch, seq }
    this.#port = port
    this.#hasAudio = segment.audio !== undefined
  }

  append(unit: AccessUnit, { duplicate = false } = {}): AppendResult {
    if (this.failure || this.#sealed) return 'busy'
    if (unit.config.track === 'audio' && !this.#hasAudio) {
      this.#port.addAudio(audioHeaderOf(unit.config))
      this.#hasAudio = true
    }
    const { result, bytes } = this.#port.append(unit, duplicate)
    if (result !== 'taken') return result
    if (!duplicate) this.units += 1
    this.bytes += bytes
    return result
  }

  gap({ fromMs, toMs, cause, units }: SourceGap, arrivalMs: number): void {
    if (this.failure || this.#sealed) return
    const arrivalUs = this.#port.arrivalUs(arrivalMs)
    this.#port.gap({
      kind: 'gap',
      track: 'video',
      cause,
      fromMs,
      toMs,
      ...(units !== undefined && { units }),
      arrivalUs,
    })
  }

  seal(end: SegmentEnd): Promise<Manifest | undefined> {
    this.#sealed ??= this.#port.seal(end)
    return this.#sealed
  }
}

export function headerOf(segment: NewSegment, agent: string, openedWallMs: number): SegmentHeader {
  const { video, audio, gaps, ...rest } = segment
  return {
    version: 1,
    agent,
    ...rest,
    openedWallMs,
    ...(video && { video: videoHeaderOf(video as VideoConfig & { codec: 'h264' | 'h265' }) }),
    ...(audio && { audio: audioHeaderOf(audio) }),
  }
}
