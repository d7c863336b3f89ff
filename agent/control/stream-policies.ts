import { z } from 'zod'
import {
  type RingPolicy,
  ringPolicy,
  type UploadPolicy,
  uploadPolicy,
} from '../../shared/contract/agent-api.ts'
import { AppError } from '../../shared/error.ts'
import { streamsMax } from '../../shared/limits.ts'
import type { AgentFile } from './agent-file.ts'

export type StreamPolicy = { ring: RingPolicy; upload: UploadPolicy }

const defaults: StreamPolicy = { ring: 'on-demand', upload: 'recordings' }
const stored = z.record(z.string(), z.object({ ring: ringPolicy, upload: uploadPolicy }))

/**
 * What is kept and uploaded of each stream: set by a person (kept in `agent.json`), else by the configuration, else
 * the default. Each policy is applied at the start and at every change.
 */
export class StreamPolicies {
  readonly #file: AgentFile
  readonly #configured: Readonly<Record<string, StreamPolicy>>
  readonly #apply: (stream: string, policy: StreamPolicy) => void
  #set: Record<string, StreamPolicy>

  constructor(options: {
    file: AgentFile
    configured: Readonly<Record<string, StreamPolicy>>
    apply: (stream: string, policy: StreamPolicy) => void
  }) {
    this.#file = options.file
    // Only these two: what else the configuration says of a stream (addresses with secrets) is not shown to anyone.
    this.#configured = Object.fromEntries(
      Object.entries(options.configured).map(([name, { ring, upload }]) => [name, { ring, upload }]),
    )
    this.#apply = options.apply
    this.#set = stored.catch({}).parse(options.file.record.streams ?? {})
    for (const name of this.names()) this.#apply(name, this.of(name))
  }

  names(): string[] {
    return [...new Set([...Object.keys(this.#configured), ...Object.keys(this.#set)])]
  }

  of(stream: string): StreamPolicy {
    return this.#set[stream] ?? this.#configured[stream] ?? defaults
  }

  async set(
    stream: string,
    change: { ring?: RingPolicy | undefined; upload?: UploadPolicy | undefined },
  ): Promise<void> {
    const before = this.of(stream)
    const policy = { ring: change.ring ?? before.ring, upload: change.upload ?? before.upload }
    if (!(stream in this.#set) && Object.keys(this.#set).length >= streamsMax) {
      throw new AppError(
        'ResourceExhausted',
        'Too many streams have settings of their own; remove some first.',
        {
          zh: '单独设置的流过多，请先移除一些。',
        },
      )
    }
    await this.#save({ ...this.#set, [stream]: policy })
    this.#apply(stream, policy)
  }

  /** Back to what the configuration says. */
  async remove(stream: string): Promise<void> {
    if (!(stream in this.#set)) return
    const { [stream]: _, ...rest } = this.#set
    await this.#save(rest)
    this.#apply(stream, this.of(stream))
  }

  async #save(set: Record<string, StreamPolicy>): Promise<void> {
    this.#set = set
    await this.#file.update((record) => ({ ...record, streams: set }))
  }
}
