import { streamsMax } from '../../shared/limits.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import type { FlvTag } from '../../shared/media/flv.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { LiveClient } from '../live-client.ts'
import { counter, type FlvRefusal, FlvUnits, type Moment } from './flv-units.ts'

type PublishRequest = {
  name: string
  identity: string
  client: LiveClient
  onDisplaced(): void
  close?(): void
}

/** What ingest needs of the hub. */
export type PublishHub = {
  publish(request: PublishRequest & { kind: string }): {
    push(unit: AccessUnit): void
    gap(gap: SourceGap): void
    end(reason: string): void
  }
}

/** One publisher, as long as it publishes. */
export type RtmpPublication = {
  /** Never throws. */
  tag(tag: FlvTag): void
  /** `unpublished`: it said goodbye; otherwise it was cut off. */
  end(reason: string): void
}

export type RtmpIngest = {
  /** Units that were refused, over all publishers. */
  readonly refused: Readonly<Record<FlvRefusal, number>>
  /** Throws as `hub.publish`. */
  publish(request: PublishRequest): RtmpPublication
}

/**
 * RTMP publishers → the hub. One that was cut off and comes back continues its stream, and the gap between says how
 * long it was away; one that said goodbye begins anew.
 */
export function createRtmpIngest({ hub, clock }: { hub: PublishHub; clock: Clock }): RtmpIngest {
  return new Ingest(hub, clock)
}

class Ingest implements RtmpIngest {
  readonly refused = { 'bad-picture': 0, 'bad-sound': 0, 'no-configuration': 0, 'bad-metadata': 0 }
  readonly #hub: PublishHub
  readonly #clock: Clock
  readonly #nextEpoch = counter()
  /** Timeline ms of the last unit of those that were cut off, by stream. */
  readonly #lost = new Map<string, number>()

  constructor(hub: PublishHub, clock: Clock) {
    this.#hub = hub
    this.#clock = clock
  }

  publish(request: PublishRequest): RtmpPublication {
    const publisher = this.#hub.publish({ ...request, kind: 'rtmp' })
    const { name } = request
    const units = new FlvUnits(this.#now(), this.#nextEpoch)
    const tellLoss = (unit: AccessUnit) => {
      const fromMs = this.#lost.get(name)
      this.#lost.delete(name)
      if (fromMs === undefined) return
      publisher.gap({ fromMs: Math.min(fromMs, unit.ptsMs), toMs: unit.ptsMs, cause: 'source-lost' })
    }
    return {
      tag: (tag) => {
        const { unit, gap, refused } = units.take(tag, this.#now())
        if (refused) this.refused[refused] += 1
        if (unit) tellLoss(unit)
        if (gap) publisher.gap(gap)
        if (unit) publisher.push(unit)
      },
      end: (reason) => {
        const gap = units.end()
        if (gap) publisher.gap(gap)
        if (reason !== 'unpublished') this.#remember(name, units.lastPtsMs)
        publisher.end(reason)
      },
    }
  }

  #now(): Moment {
    return { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.nowMs() }
  }

  #remember(name: string, lastPtsMs: number | undefined): void {
    if (lastPtsMs === undefined) return
    this.#lost.delete(name)
    this.#lost.set(name, lastPtsMs)
    const [oldest] = this.#lost.keys()
    if (this.#lost.size > streamsMax && oldest !== undefined) this.#lost.delete(oldest)
  }
}
