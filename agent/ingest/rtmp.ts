import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import type { FlvTag } from '../../shared/media/flv.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type FlvRefusal, FlvUnits } from './flv-units.ts'

/** What ingest needs of the hub. */
export type PublishHub = {
  publish(request: { name: string; kind: string; identity: string; onDisplaced(): void }): {
    push(unit: AccessUnit): void
    gap(gap: SourceGap): void
    end(reason: string): void
  }
}

/** One publisher, as long as it publishes. */
export type RtmpPublication = {
  /** Never throws. */
  tag(tag: FlvTag): void
  end(reason: string): void
}

export type RtmpIngest = {
  /** Units that were refused, over all publishers. */
  readonly refused: Readonly<Record<FlvRefusal, number>>
  /** Throws as `hub.publish`. */
  publish(request: { name: string; identity: string; onDisplaced(): void }): RtmpPublication
}

/** RTMP publishers → the hub. */
export function createRtmpIngest({ hub, clock }: { hub: PublishHub; clock: Clock }): RtmpIngest {
  const refused = { 'bad-picture': 0, 'bad-sound': 0, 'no-configuration': 0, 'bad-metadata': 0 }
  const now = () => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() })
  return {
    refused,
    publish: (request) => {
      const publisher = hub.publish({ ...request, kind: 'rtmp' })
      const units = new FlvUnits(now())
      return {
        tag: (tag) => {
          const taken = units.take(tag, now())
          if (taken.refused) refused[taken.refused] += 1
          if (taken.gap) publisher.gap(taken.gap)
          if (taken.unit) publisher.push(taken.unit)
        },
        end: (reason) => publisher.end(reason),
      }
    },
  }
}
