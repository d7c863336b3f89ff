import { parseTime, type TimeText } from '../../shared/contract/agent-api.ts'
import * as api from '../../shared/contract/vehicle-api.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { VehicleHistory } from '../ingest/vehicle-history.ts'
import type { HistoryAction } from '../ingest/vehicle-history-request.ts'
import { fromVehicleTime } from '../ingest/vehicle-history-time.ts'
import { type Route, route } from './route.ts'

export type VehicleCommands = {
  list(): api.VehiclesAnswer
  /** `InvalidArgument` for what is no vehicle's name, `PermissionDenied` for a vehicle that may not connect. */
  about(vehicle: string): api.VehicleChannelInfo
  history: Pick<VehicleHistory, 'get' | 'query' | 'play' | 'control'>
  /** What the vehicle itself says it holds. False when nobody asked. */
  answered(vehicle: string, items: api.HistoryItem[]): boolean
  /** Ms that the clock of this channel's vehicle is ahead of UTC. `InvalidArgument` for what is no vehicle's name. */
  zoneMs(vehicle: string): number
}

/** Vehicles that are wanted, and what they have recorded. */
export function vehicleRoutes(vehicles: VehicleCommands, clock: Clock): Route[] {
  return [
    route({
      method: 'get',
      path: '/agent/v1/vehicles',
      summary:
        'Channels of vehicles that are connected or wanted, histories that play, commands on their way',
      role: 'viewer',
      answer: api.vehicles,
      handle: async () => vehicles.list(),
    }),
    route({
      method: 'get',
      path: '/agent/v1/vehicles/{name}',
      summary: 'A channel of a vehicle that may be called, connected or not, and its time zone',
      role: 'viewer',
      answer: api.vehicleChannel,
      handle: async ({ params }) => vehicles.about(params.name ?? ''),
    }),
    ...historyRoutes(vehicles, clock),
    ...listRoutes(vehicles, clock),
  ]
}

const path = '/agent/v1/vehicles/{name}/history'

function historyRoutes({ history }: VehicleCommands, clock: Clock): Route[] {
  return [
    route({
      method: 'get',
      path,
      summary: 'The history of a channel that plays, or played last, and why it is over',
      role: 'viewer',
      answer: api.historyInfo,
      handle: async ({ params }) => history.get(params.name ?? ''),
    }),
    route({
      method: 'post',
      path,
      summary:
        'Has a vehicle play what it recorded, as a stream of its own; with `record` into the archive, too',
      role: 'operator',
      status: 201,
      body: api.playHistory,
      answer: api.historyInfo,
      handle: ({ params, body: { from, to, record, title, labels } }) =>
        history.play(params.name ?? '', {
          ...times({ from, to }, clock),
          record,
          ...(title === undefined ? {} : { title }),
          ...(labels ? { labels } : {}),
        }),
    }),
    route({
      method: 'post',
      path: `${path}/control`,
      summary: 'Pauses, goes on, plays faster, back or from another time, or stops',
      role: 'operator',
      body: api.historyControl,
      answer: api.historyInfo,
      handle: async ({ params, body }) => history.control(params.name ?? '', actionOf(body, clock)),
    }),
  ]
}

function listRoutes({ history, answered, zoneMs }: VehicleCommands, clock: Clock): Route[] {
  return [
    route({
      method: 'post',
      path: `${path}/query`,
      summary: 'Asks a vehicle what it has recorded; answered when its platform passes the answer back',
      role: 'operator',
      body: api.historyRange,
      answer: api.historyItems,
      handle: async ({ params, body }) => ({
        items: [...(await history.query(params.name ?? '', times(body, clock)))],
      }),
    }),
    route({
      method: 'post',
      path: `${path}/resources`,
      summary: 'For the platform: a vehicle’s answer to 9205 (1205), whole',
      role: 'operator',
      body: api.vehicleResources,
      answer: api.resourcesTaken,
      handle: async ({ params, body }) => {
        const vehicle = params.name ?? ''
        const zone = zoneMs(vehicle)
        return {
          taken: answered(
            vehicle,
            body.items.map((item) => itemOf(item, zone)),
          ),
        }
      },
    }),
  ]
}

function times({ from, to }: { from: TimeText; to: TimeText }, clock: Clock): { from: number; to: number } {
  const nowMs = clock.nowMs()
  return { from: parseTime(from, nowMs), to: parseTime(to, nowMs) }
}

type ControlBody = ReturnType<typeof api.historyControl.parse>

function actionOf(body: ControlBody, clock: Clock): HistoryAction {
  if (body.action === 'seek') return { action: 'seek', at: parseTime(body.at, clock.nowMs()) }
  // Once is the speed at which everything is played that goes on.
  if (body.action === 'fast' && body.speed === 1) return { action: 'resume' }
  return body
}

const media = ['av', 'audio', 'video', 'av-or-video'] as const
const streams = ['any', 'main', 'sub'] as const
const memories = ['any', 'main', 'backup'] as const

function itemOf(item: api.VehicleResources['items'][number], zoneMs: number): api.HistoryItem {
  const from = fromVehicleTime(item.startTime, zoneMs)
  const to = fromVehicleTime(item.endTime, zoneMs)
  if (to < from) {
    throw new AppError('InvalidArgument', 'items: one ends before it begins', { zh: 'items：结束早于开始。' })
  }
  return {
    ...{ from, to, alarm: item.alarm, sizeBytes: Number(item.size) },
    media: media[Number(item.dataType)] ?? 'av-or-video',
    stream: streams[Number(item.codeStreamType)] ?? 'any',
    memory: memories[Number(item.memoryType)] ?? 'any',
  }
}
