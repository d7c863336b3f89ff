import type { ReportedConfig, VersionedConfig, WantedConfig } from '../shared/contract/agents-api.ts'
import { versionedConfig } from '../shared/contract/agents-api.ts'
import { AppError } from '../shared/error.ts'
import type { Config } from './config.ts'
import type { AgentFile } from './control/agent-file.ts'
import type { Commands } from './control/commands-port.ts'
import type { Ring } from './ring/types.ts'
import type { WantedPort } from './upload/heartbeat.ts'
import type { Uploader } from './upload/uploader.ts'

/** What a configuration from the cloud may change. Never a camera's address, a port or a token. */
export type WantedParts = {
  ring: Pick<Ring, 'configure'>
  uploader: Pick<Uploader, 'configure'>
  streams: Pick<Commands['streams'], 'put'>
}

/**
 * The configuration that the cloud wants of this agent: before the file's own, kept in `agent.json`, applied at
 * each start and at each new version, all of it or, with its reason, none.
 */
export class Wanted implements WantedPort {
  readonly #file: AgentFile
  readonly #own: Pick<Config, 'ring' | 'cloud'>
  readonly #parts = Promise.withResolvers<WantedParts>()
  #reported: ReportedConfig | undefined

  constructor(options: { file: AgentFile; config: Pick<Config, 'ring' | 'cloud'> }) {
    this.#file = options.file
    this.#own = options.config
    const kept = this.#kept
    if (kept) this.#reported = { version: kept.version, state: 'applied' }
  }

  /** Called once, when all parts are there. What streams keep is remembered by themselves. */
  async attach(parts: WantedParts): Promise<void> {
    const kept = this.#kept
    if (kept) await this.#applyLimits(parts, kept.wanted)
    this.#parts.resolve(parts)
  }

  report(): ReportedConfig | undefined {
    return this.#reported
  }

  async receive(config: VersionedConfig): Promise<boolean> {
    if (config.version === this.#reported?.version) return false
    const parts = await this.#parts.promise
    try {
      await this.#apply(parts, config)
      this.#reported = { version: config.version, state: 'applied' }
    } catch (cause) {
      const { message } = AppError.from(cause)
      this.#reported = { version: config.version, state: 'refused', message: message.slice(0, 500) }
    }
    return true
  }

  get #kept(): VersionedConfig | undefined {
    return versionedConfig.safeParse(this.#file.record.wanted).data
  }

  /** The limits first: they are what can be refused. Kept only when all is applied. */
  async #apply(parts: WantedParts, config: VersionedConfig): Promise<void> {
    await this.#applyLimits(parts, config.wanted)
    for (const [stream, policy] of Object.entries(config.wanted.streams ?? {})) {
      await parts.streams.put(stream, policy)
    }
    await this.#file.update((record) => ({ ...record, wanted: config }))
  }

  async #applyLimits({ ring, uploader }: WantedParts, wanted: WantedConfig): Promise<void> {
    const { quota, whenFull } = this.#own.ring
    const { bandwidth, hours } = this.#own.cloud
    const upload = wanted.upload ?? {}
    uploader.configure({
      bandwidth: upload.bandwidth === undefined ? bandwidth : upload.bandwidth,
      hours: upload.hours === undefined ? hours : upload.hours,
    })
    await ring.configure({
      quotaBytes: wanted.ring?.quotaBytes ?? quota,
      whenFull: wanted.ring?.whenFull ?? whenFull,
    })
  }
}
