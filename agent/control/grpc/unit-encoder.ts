import type { AccessUnit, CodecConfig } from '../../../shared/media/access-unit.ts'
import { joinAnnexB } from '../../../shared/media/nal.ts'
import type { Clock } from '../../../shared/node/clock.ts'
import type { MediaProto } from './media-proto.ts'
import type { UnitNote } from './messages.ts'
import { framed, unitFrame } from './unit-message.ts'
import type { Dropped } from './unit-queue.ts'

/**
 * Units as frames for the wire. Clients of a stream are sent the same unit at nearly the same time, so the newest of each
 * track is kept: it is encoded once for all of them, and is no second copy of what the GOP cache holds.
 */
export class UnitEncoder {
  readonly #encode: MediaProto['encode']
  readonly #clock: Clock
  readonly #newest = new WeakMap<CodecConfig, { unit: AccessUnit; frame: Uint8Array }>()

  constructor({ encode }: Pick<MediaProto, 'encode'>, clock: Clock) {
    this.#encode = encode
    this.#clock = clock
  }

  /** With what only this client is told: a new configuration, or what it missed. */
  frame(unit: AccessUnit, config: CodecConfig | undefined, dropped: Dropped | undefined): Uint8Array {
    const known = this.#newest.get(unit.config)
    const frame = known?.unit === unit ? known.frame : this.#make(unit)
    this.#newest.set(unit.config, { unit, frame })
    if (!config && !dropped) return frame
    const note = { ...(config && { config: described(config) }), ...(dropped && { dropped }) }
    return framed(frame, this.#encode(note))
  }

  #make(unit: AccessUnit): Uint8Array {
    const { config, dtsMs, ptsMs, randomAccess, track, epoch, arrivalMs, damaged = false, nalUnits } = unit
    const agoMs = this.#clock.monotonicMs() - arrivalMs
    const annexB = config.codec === 'h264' || config.codec === 'h265'
    return unitFrame({
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
