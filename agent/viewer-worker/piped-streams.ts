import type { CodecConfig } from '../../shared/media/access-unit.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { Stream } from '../hub/stream.ts'
import type { PipeMessage } from '../play/worker-messages.ts'

type Piped = { stream: Stream; configs: Map<string, CodecConfig>; isOver: boolean }

const noSink = { write: () => undefined, gap: () => undefined, end: () => undefined } // Recording is the agent's.

/** The agent's streams as its pipe gives them: each from its cached GOP on, for as long as somebody watches it here. */
export class PipedStreams {
  readonly #clock: Clock
  readonly #streams = new Map<number, Piped>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A viewer may come before the first unit does. */
  begin(id: number, startedAtMs: number | undefined): void {
    this.#get(id).stream.startedAtMs ??= startedAtMs
  }

  find(id: number): Stream {
    return this.#get(id).stream
  }

  isOver(id: number): boolean {
    return this.#get(id).isOver
  }

  take(message: Exclude<PipeMessage, { type: 'go' }>): void {
    const piped = this.#get(message.stream)
    if (message.type === 'unit') this.#write(piped, message)
    else if (message.type === 'drop') this.#streams.delete(message.stream)
    else if (message.type === 'end') {
      piped.isOver = true
      piped.stream.close('source gone')
    }
  }

  #write({ stream, configs }: Piped, message: Extract<PipeMessage, { type: 'unit' }>): void {
    const { unit, startedAtMs } = message
    if (message.config) configs.set(unit.track, message.config)
    const config = configs.get(unit.track)
    if (!config) return
    stream.startedAtMs = startedAtMs
    stream.write({ ...unit, config })
  }

  #get(id: number): Piped {
    const known = this.#streams.get(id)
    if (known) return known
    const onFault = (error: unknown) => process.stderr.write(`viewer worker: ${String(error)}\n`)
    const stream = new Stream({ name: String(id), sink: noSink, clock: this.#clock, onFault })
    stream.begin('piped')
    const piped = { stream, configs: new Map(), isOver: false }
    this.#streams.set(id, piped)
    return piped
  }
}
