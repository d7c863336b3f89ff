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
/** `source`: the address of its camera, with credentials: for nobody but the one who connects. */
type Stored = StreamPolicy & { source?: string | undefined }

const defaults: StreamPolicy = { ring: 'on-demand', upload: 'recordings' }
const stored = z.record(
  z.string(),
  z.object({ ring: ringPolicy, upload: uploadPolicy, source: z.string().optional() }),
)

type Apply = (stream: string, policy: StreamPolicy, source: string | undefined) => void

/**
 * What is kept and uploaded of each stream: set by a person (kept in `agent.json`), else by the configuration, else
 * the default. Each policy is applied at the start and at every change.
 */
export class StreamPolicies {
  readonly #file: AgentFile
  readonly #configured: Readonly<Record<string, Stored>>
  readonly #apply: Apply
  readonly #usual: (stream: string) => RingPolicy | undefined
  #set: Record<string, Stored>

  constructor(options: {
    file: AgentFile
    configured: Readonly<Record<string, Stored>>
    apply: Apply
    /** What is kept of streams of a kind for which nobody said anything. */
    usual?: (stream: string) => RingPolicy | undefined
  }) {
    this.#file = options.file
    this.#configured = options.configured
    this.#apply = options.apply
    this.#usual = options.usual ?? (() => undefined)
    this.#set = stored.catch({}).parse(options.file.record.streams ?? {})
    for (const name of this.names()) this.#applied(name)
  }

  names(): string[] {
    return [...new Set([...Object.keys(this.#configured), ...Object.keys(this.#set)])]
  }

  /** Only these two: what else there is of a stream (addresses with secrets) is not shown to anyone. */
  of(stream: string): StreamPolicy {
    const said = this.#set[stream] ?? this.#configured[stream]
    if (said) return { ring: said.ring, upload: said.upload }
    return { ...defaults, ring: this.#usual(stream) ?? defaults.ring }
  }

  async set(
    stream: string,
    change: { ring?: RingPolicy | undefined; upload?: UploadPolicy | undefined; source?: string | undefined },
  ): Promise<void> {
    const before = this.of(stream)
    // The configuration's own address stays there.
    const source = change.source ?? this.#set[stream]?.source
    const policy = {
      ring: change.ring ?? before.ring,
      upload: change.upload ?? before.upload,
      ...(source === undefined ? {} : { source }),
    }
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
    this.#applied(stream)
  }

  /** Back to what the configuration says. */
  async remove(stream: string): Promise<void> {
    if (!(stream in this.#set)) {
      if (stream in this.#configured) this.#applied(stream)
      return
    }
    const { [stream]: _, ...rest } = this.#set
    await this.#save(rest)
    this.#applied(stream)
  }

  #applied(stream: string): void {
    const source = this.#set[stream]?.source ?? this.#configured[stream]?.source
    this.#apply(stream, this.of(stream), source)
  }

  async #save(set: Record<string, Stored>): Promise<void> {
    this.#set = set
    await this.#file.update((record) => ({ ...record, streams: set }))
  }
}
