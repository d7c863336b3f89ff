import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { FlvParser } from '../../shared/media/flv.ts'
import { counter, type FlvRefusal, FlvUnits, type Moment } from './flv-units.ts'

export type FlvOutput = {
  unit(unit: AccessUnit): void
  gap(gap: SourceGap): void
  refused(reason: FlvRefusal): void
}

/** The bytes of one FLV file or HTTP-FLV response → units. */
export class FlvSource {
  readonly #parser = new FlvParser()
  readonly #units: FlvUnits
  readonly #output: FlvOutput

  /** `nextEpoch`: numbers that are this source's alone, over its connections. */
  constructor(now: Moment, output: FlvOutput, nextEpoch = counter()) {
    this.#units = new FlvUnits(now, nextEpoch)
    this.#output = output
  }

  /** InvalidArgument when the bytes are no FLV; what was whole before them was given out. */
  push(bytes: Uint8Array, at: Moment): void {
    for (const tag of this.#parser.push(bytes)) {
      const { unit, gap, refused } = this.#units.take(tag, at)
      if (refused) this.#output.refused(refused)
      if (gap) this.#output.gap(gap)
      if (unit) this.#output.unit(unit)
    }
  }

  /** Nothing more comes. InvalidArgument when it ended inside of a tag. */
  end(): void {
    this.#parser.end()
  }
}
