import type { Config } from '../config.ts'
import type { SrsConfig } from '../config-vehicles.ts'
import type { Metrics } from '../control/metrics.ts'
import type { Hub } from '../hub/hub.ts'
import { type Vehicles, vehicleStream } from '../ingest/vehicle.ts'
import { historyChannelOf } from '../ingest/vehicle-history-request.ts'
import { openSrsHooks, type SrsEvent, type SrsHooks } from '../listen/srs-hooks.ts'
import { openVehicleInner, type VehicleInnerDoor } from '../listen/vehicle-inner.ts'
import type { AacSound } from '../play/audio-aac.ts'
import { createVehicleForward } from '../play/vehicle-forward.ts'
import { createSrsPushes, type SrsPushes } from '../play/vehicle-forward-srs.ts'
import { tell } from '../tell.ts'
import type { AgentOptions } from './options.ts'
import type { VehicleWants } from './vehicle-commands.ts'

/** Pushes to the SRS of the configuration what is watched there; undefined without one. */
export function startSrsPushes(
  stack: AsyncDisposableStack,
  { config, clock, log }: AgentOptions,
  { hub, history, sound }: { hub: Hub; history: VehicleWants['history']; sound: Pick<AacSound, 'of'> },
): SrsPushes | undefined {
  const { srs } = config
  if (!srs) return undefined
  return stack.use(
    createSrsPushes({
      ...{ clock, sound, onEvent: tell(log).forward },
      targetOf: (channel) => targetOf(srs, channel),
      channelOf: (stream) => historyChannelOf(stream) ?? stream.toLowerCase(),
      streamOf: (channel) => hub.stream(history.streamOf(channel)),
    }),
  )
}

const historyPrefix = 'replay-'

function targetOf({ push, pushHistory }: SrsConfig, channel: string): { url: string; name: string } {
  if (!channel.startsWith(historyPrefix)) return { url: push, name: channel }
  const replay = pushHistory ?? push.replace(/[^/]+\/?$/, 'replay')
  return { url: replay, name: channel.slice(historyPrefix.length) }
}

type DoorParts = {
  vehicles: Vehicles
  wants: VehicleWants
  pushes: SrsPushes | undefined
  metrics: Metrics
  ownPorts: number[]
}

/** The inner ports and the hooks of SRS, as far as they are configured. */
export async function openVehicleDoors(
  stack: AsyncDisposableStack,
  options: AgentOptions,
  parts: DoorParts,
): Promise<void> {
  const inner = await openInner(stack, options, parts)
  const srs = await openSrs(stack, options, parts)
  for (const { port } of [...inner.values(), ...srs.values()]) parts.ownPorts.push(port)
  if (parts.wants.queue) commandFigures(parts.metrics, parts.wants)
  if (inner.size > 0) innerFigures(parts.metrics, inner)
  if (srs.size > 0) srsFigures(parts.metrics, srs)
}

async function openInner(
  stack: AsyncDisposableStack,
  { config, clock, log }: AgentOptions,
  { vehicles, wants }: DoorParts,
): Promise<Map<string, VehicleInnerDoor>> {
  const { inner } = config.vehicles
  const doors = new Map<string, VehicleInnerDoor>()
  if (!inner) return doors
  const forward = createVehicleForward(vehicles)
  const kinds = [
    ['port', inner.port, 'live'],
    ['history', inner.history, 'history'],
    ['clients', inner.clients, 'live'],
  ] as const
  for (const [key, port, door] of kinds) {
    if (port === null) continue
    const opened = await openVehicleInner({
      ...{ door, port, allow: inner.allow, hint: `vehicles.inner.${key}`, clock, forward },
      hold: wants.hold,
      onFault: (error) => log.error({ err: error }, 'an inner connection failed'),
    })
    doors.set(key, stack.use(opened))
    log.info({ port: opened.port, door, allowed: inner.allow.length }, 'inner subscribers may connect')
  }
  return doors
}

async function openSrs(
  stack: AsyncDisposableStack,
  { config, clock, log }: AgentOptions,
  { wants, pushes }: DoorParts,
): Promise<Map<string, SrsHooks>> {
  const { srs } = config
  const doors = new Map<string, SrsHooks>()
  if (!srs || !pushes) return doors
  const onEvent = (event: SrsEvent) => {
    if (event.type === 'away') log.warn({ reason: event.error.message }, 'SRS: viewers are not checked')
    else log.error({ err: event.error }, 'a hook of SRS failed')
  }
  const api = srs.api ?? apiOf(srs.push)
  const apiHistory = srs.apiHistory ?? (srs.pushHistory === null ? api : apiOf(srs.pushHistory))
  const kinds = [
    ['live', 'live', srs.hooks.live, api],
    ['history', 'replay', srs.hooks.history, apiHistory],
  ] as const
  for (const [door, app, port, clients] of kinds) {
    if (port === null) continue
    const opened = await openSrsHooks({
      ...{ app, port, allow: srs.hooks.allow, hint: `srs.hooks.${door}`, api: clients, clock, onEvent },
      hold: (device) => {
        const stack = new DisposableStack()
        const channel = vehicleStream(device, door)
        stack.use(wants.hold(channel, { calls: false }))
        stack.use(pushes.want(channel))
        return stack
      },
    })
    doors.set(door, stack.use(opened))
    log.info({ port: opened.port, app, allowed: srs.hooks.allow.length }, 'hooks of SRS are taken')
  }
  return doors
}

/** Where SRS's own API usually is. */
function apiOf(push: string): string {
  return `http://${new URL(push).hostname}:1985`
}

/** Whether an SRS on this machine has the port where encoders look. */
export function srsHasRtmpPort({ srs }: Config): boolean {
  if (!srs) return false
  const { hostname, port } = new URL(srs.push)
  return (port === '' || port === '1935') && (hostname === 'localhost' || /^127\.|^\[::1\]$/.test(hostname))
}

function commandFigures(metrics: Metrics, { queue, calls }: VehicleWants): void {
  metrics.gauge(
    'edgereel_vehicle_wanted',
    'Channels of vehicles that somebody wants',
    () => calls.list().length,
  )
  metrics.gauge('edgereel_vehicle_commands_queued', 'Commands that wait', () => queue?.figures.queued ?? 0)
  metrics.gauge('edgereel_vehicle_commands_away', '1 while no command gets through', () =>
    queue?.figures.awaySince === undefined ? 0 : 1,
  )
  metrics.counterOf('edgereel_vehicle_commands_total', 'Commands, by what became of them', () =>
    (['sent', 'failed', 'expired', 'dropped'] as const).map((result) => ({
      labels: { result },
      value: queue?.figures[result] ?? 0,
    })),
  )
}

function innerFigures(metrics: Metrics, doors: ReadonlyMap<string, VehicleInnerDoor>): void {
  const each = (read: (door: VehicleInnerDoor) => number) => () =>
    Array.from(doors, ([port, door]) => ({ labels: { port }, value: read(door) }))
  const figures = [
    ['connections', 'gauge', 'Inner subscribers that are connected'],
    ['subscriptions', 'gauge', 'Channels that inner subscribers read'],
    ['packets', 'counter', 'Packets handed to inner subscribers'],
    ['bytes', 'counter', 'Bytes handed to inner subscribers'],
    ['dropped', 'counter', 'Packets that slow inner subscribers missed'],
    ['refused', 'counter', 'Subscriptions that were refused'],
  ] as const
  for (const [figure, type, help] of figures) {
    const read = each((door) => door.figures[figure])
    if (type === 'gauge') metrics.gauge(`edgereel_vehicle_inner_${figure}`, help, read)
    else metrics.counterOf(`edgereel_vehicle_inner_${figure}_total`, help, read)
  }
}

function srsFigures(metrics: Metrics, doors: ReadonlyMap<string, SrsHooks>): void {
  const each = (read: (hooks: SrsHooks) => number) => () =>
    Array.from(doors, ([door, hooks]) => ({ labels: { door }, value: read(hooks) }))
  metrics.gauge(
    'edgereel_srs_viewers',
    'Viewers at SRS',
    each(({ figures }) => figures.viewers),
  )
  metrics.gauge(
    'edgereel_srs_channels',
    'Channels watched at SRS',
    each(({ figures }) => figures.channels),
  )
  metrics.counterOf(
    'edgereel_srs_hooks_total',
    'Hooks of SRS',
    each(({ figures }) => figures.hooks),
  )
  metrics.counterOf(
    'edgereel_srs_refused_total',
    'Hooks of SRS that were refused',
    each(({ figures }) => figures.refused),
  )
}
