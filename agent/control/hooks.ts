import { randomUUID } from 'node:crypto'
import type { Recording } from '../../shared/contract/recording.ts'
import type { AppError } from '../../shared/error.ts'
import { hookCloseMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { HubEvent } from '../hub/hub.ts'
import type { VehicleData } from '../ingest/vehicle-ingest.ts'
import type { ViewerEvent } from '../play/flv.ts'
import { type HookAction, type HookEvent, hookBody } from './hook-body.ts'
import { type HookFigures, type HookPost, HookQueue, postByFetch } from './hook-queue.ts'

export type HooksConfig = {
  urls: readonly string[]
  secret: string | null
  events: readonly HookAction[]
}

export type Hooks = AsyncDisposable & {
  hub(event: HubEvent): void
  viewer(event: ViewerEvent): void
  /** A recording was closed. */
  recorded(recording: Recording): void
  /** A vehicle sent data that is neither picture nor sound. */
  vehicleData(data: VehicleData): void
  readonly figures: HookFigures
}

type Options = {
  config: HooksConfig
  agent: { uuid: string; name: string }
  clock: Clock
  random?: () => number
  post?: HookPost
  /** `host`: the rest of an address may be a secret. */
  onFailed: (host: string, action: string, error: AppError) => void
}

const actionOfHub: Partial<Record<HubEvent['type'], 'on_publish' | 'on_unpublish'>> = {
  published: 'on_publish',
  unpublished: 'on_unpublish',
  displaced: 'on_unpublish',
}

/**
 * Tells others what happens here: signed, in order, at least once within a bound, and never in the way of live.
 *
 * Hooks tell, they do not decide. Who may watch or send is known at the door (token or signed link), the same on
 * every transport; a back end that decides makes links for those it lets in.
 */
export function createHooks(options: Options): Hooks {
  const { config, clock, random = Math.random, post = postByFetch, onFailed } = options
  const secret = config.secret ?? ''
  const agent = { ...options.agent, serviceId: randomUUID() }
  const queues = config.urls.map((url) => {
    const { host } = new URL(url)
    const failed = (action: string, error: AppError) => onFailed(host, action, error)
    return new HookQueue({ url, secret, clock, random, post, onFailed: failed })
  })
  const tell = (event: HookEvent) => {
    if (queues.length === 0 || !config.events.includes(event.action)) return
    const body = JSON.stringify(hookBody(event, agent, clock.nowMs()))
    for (const queue of queues) queue.push(event.action, body)
  }
  return {
    hub: ({ type, stream, kind, client, reason }) => {
      const action = actionOfHub[type]
      if (!action) return
      const why = type === 'displaced' ? 'displaced' : reason
      tell({ action, stream, transport: kind, ...(client && { client }), ...(why && { reason: why }) })
    },
    viewer: (event) => {
      const { stream, transport, client } = event
      const who = { stream, transport, ...(client && { client }) }
      if (event.type === 'play') tell({ action: 'on_play', ...who })
      else tell({ action: 'on_stop', ...who, reason: event.reason })
    },
    recorded: (recording) => {
      for (const { name } of recording.streams) tell({ action: 'on_record', stream: name, recording })
    },
    vehicleData: ({ channel, payloadType, bytes }) =>
      tell({
        action: 'on_vehicle_data',
        stream: channel.stream,
        address: channel.address,
        payloadType,
        bytes,
      }),
    get figures() {
      return sum(queues.map(({ figures }) => figures))
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(queues.map((queue) => queue.close(hookCloseMs)))
    },
  }
}

function sum(all: readonly HookFigures[]): HookFigures {
  const total = { queued: 0, delivered: 0, failed: 0, dropped: 0 }
  for (const figures of all) {
    for (const key of Object.keys(total) as (keyof HookFigures)[]) total[key] += figures[key]
  }
  return total
}
