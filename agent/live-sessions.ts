import type { LiveSession } from '../shared/contract/agent-api.ts'
import { AppError } from '../shared/error.ts'
import type { Clock } from '../shared/node/clock.ts'
import type { HubEvent } from './hub/hub.ts'
import type { LiveClient } from './live-client.ts'

type Came = Pick<LiveSession, 'role' | 'transport' | 'stream'> & { client: LiveClient; close(): void }

/** Whoever sends or watches now, over whatever transport: what the doors and the hub report, kept while it lasts. */
export class LiveSessions {
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #sessions = new Map<string, { session: LiveSession; close: () => void }>()

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock
  }

  came({ role, transport, stream, client, close }: Came): void {
    const { id, address, app, subject } = client
    const session = { id, role, transport, stream, address, app, subject, since: this.#clock.nowMs() }
    this.#sessions.set(id, { session, close })
  }

  went({ id }: LiveClient): void {
    this.#sessions.delete(id)
  }

  /** Events of the hub: its publishers, but cameras that are fetched from. */
  hub({ type, stream, kind, client, close }: HubEvent): void {
    if (!client) return
    if (type === 'published' && close) {
      this.came({ role: 'publisher', transport: kind, stream, client, close })
    } else if (type === 'unpublished' || type === 'displaced') this.went(client)
  }

  /** Events of play, of whatever transport. */
  viewer(
    event: { stream: string; transport: string; client?: LiveClient } & (
      | { type: 'play'; close(): void }
      | { type: 'stop' }
    ),
  ): void {
    const { client, stream, transport } = event
    if (!client) return
    if (event.type === 'stop') this.went(client)
    else this.came({ role: 'viewer', transport, stream, client, close: event.close })
  }

  list(): LiveSession[] {
    return Array.from(this.#sessions.values(), ({ session }) => session)
  }

  /** `NotFound`. What is closed may come again: to keep somebody out, revoke the token. */
  close(id: string): void {
    const found = this.#sessions.get(id)
    if (!found) throw new AppError('NotFound', 'there is no such session', { zh: '没有此会话。' })
    found.close()
  }

  /** All that this token let in. */
  closeOf(subject: string): void {
    for (const { session, close } of [...this.#sessions.values()]) if (session.subject === subject) close()
  }
}
