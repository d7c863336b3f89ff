import type { AccessUnit, CodecConfig } from '../../../shared/media/access-unit.ts'
import { joinAnnexB } from '../../../shared/media/nal.ts'
import type { Clock } from '../../../shared/node/clock.ts'
import type { MediaProto } from './media-proto.ts'
import type { UnitNote } from './messages.ts'
import { unitMessage } from './unit-message.ts'
import type { Dropped } from './unit-queue.ts'

/** Units as messages, each encoded once and kept as long as the unit itself. */
export class UnitEncoder {
  readonly #encode: MediaProto['encode']
  readonly #clock: Clock
  readonly #encoded = new WeakMap<AccessUnit, Uint8Array>()

  constructor({ encode }: Pick<MediaProto, 'encode'>, clock: Clock) {
    this.#encode = encode
    this.#clock = clock
  }

  unit(unit: AccessUnit): Uint8Array {
    let bytes = this.#encoded.get(unit)
    if (!bytes) {
      bytes = this.#make(unit)
      this.#encoded.set(unit, bytes)
    }
    return bytes
  }

  /** What only this client is told with a unit; undefined when that is nothing. */
  note(config: CodecConfig | undefined, dropped: Dropped | undefined): Uint8Array | undefined {
    if (!config && !dropped) return undefined
    return this.#encode({ ...(config && { config: described(config) }), ...(dropped && { dropped }) })
  }

  #make(unit: AccessUnit): Uint8Array {
    const { config, dtsMs, ptsMs, randomAccess, track, epoch, arrivalMs, damaged = false, nalUnits } = unit
    const agoMs = this.#clock.monotonicMs() - arrivalMs
    const annexB = config.codec === 'h264' || config.codec === 'h265'
    return unitMessage({
      ...{ codec: config.codec, dts: dtsMs, pts: ptsMs, key: randomAccess, track, epoch, damaged },
      arrivedAt: Math.round(this.#clock.nowMs() - agoMs),
      annexB,
      // Annex B where the codec has NAL units, so that payloads one behind the other are a file; else the frame itself.
      parts:
        annexB && randomAccess && config.track === 'video'
          ? [...config.parameterSets, ...nalUnits]
          : nalUnits,
    })
  }
}

function described(config: CodecConfig): NonNullable<UnitNote['config']> {
  const { codecString } = config
  if (config.track === 'audio') {
    const { sampleRate, channels, specificConfig } = config
    return { codecString, sampleRate, channels, specificConfig }
  }
  const { width, height, rotation, parameterSets } = config
  return { codecString, width, height, rotation, parameterSets: joinAnnexB(parameterSets) }
}
