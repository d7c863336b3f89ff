import type { ReportedConfig, VersionedConfig } from '../../shared/contract/agents-api.ts'
import { unfinishedClaimsMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { CloudApi } from './cloud-api.ts'
import type { UploadSource } from './source.ts'

/** What the cloud wants of this agent; `agent/wanted.ts` makes it so. */
export type WantedPort = {
  /** Of the last version that was tried. */
  report(): ReportedConfig | undefined
  /** True when there is something new to report. Never throws: a refusal is in the report. */
  receive(config: VersionedConfig): Promise<boolean>
}

/** The cloud's clock minus ours, within ± `boundMs`. */
export type ClockOffset = { offsetMs: number; boundMs: number }

export type HeartbeatOptions = {
  source: Pick<UploadSource, 'unfinishedClaims'>
  clock: Clock
  version: string
  /** What the cloud is told every minute (streams, disk). */
  agentState: () => Record<string, unknown>
  wanted?: WantedPort
}

/** State up, wanted configuration down. */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #api: Pick<CloudApi, 'heartbeat'>
  clockOffset: ClockOffset | undefined

  constructor(options: HeartbeatOptions, api: Pick<CloudApi, 'heartbeat'>) {
    this.#options = options
    this.#api = api
  }

  /** A new configuration is applied and reported at once, not in a minute. */
  async send(upload: unknown, signal: AbortSignal): Promise<void> {
    const config = await this.#sendOnce(upload, signal)
    const isNew = config !== undefined && (await this.#options.wanted?.receive(config))
    if (isNew) await this.#sendOnce(upload, signal)
  }

  async #sendOnce(upload: unknown, signal: AbortSignal): Promise<VersionedConfig | undefined> {
    const { source, clock, version, agentState, wanted } = this.#options
    const claims = await source.unfinishedClaims(unfinishedClaimsMax + 1)
    const reported = wanted?.report()
    const sentMs = clock.monotonicMs()
    const answer = await this.#api.heartbeat(
      {
        version,
        state: { ...agentState(), upload, claims },
        ...(this.clockOffset && { clock: this.clockOffset }),
        ...(reported && { config: reported }),
      },
      signal,
    )
    // The answer was written somewhere within the round trip: in its middle, give or take half of it.
    const boundMs = (clock.monotonicMs() - sentMs) / 2
    this.clockOffset = {
      offsetMs: Math.round(answer.nowMs - clock.nowMs() + boundMs),
      boundMs: Math.ceil(boundMs),
    }
    return answer.config
  }
}
