import type { Recording } from '../../shared/contract/recording.ts'
import type { VehiclesAnswer } from '../../shared/contract/vehicle-api.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { vehicleWaitMs } from '../../shared/vehicle-limits.ts'
import type { Config } from '../config.ts'
import type { VehicleCommands } from '../control/vehicle-routes.ts'
import type { Hub } from '../hub/hub.ts'
import type { Stream } from '../hub/stream.ts'
import { parseVehicleStream, type VehicleChannel, type Vehicles } from '../ingest/vehicle.ts'
import { type CallHolder, VehicleCalls } from '../ingest/vehicle-command.ts'
import { hookSink } from '../ingest/vehicle-command-hook.ts'
import { type CommandEvent, CommandQueue, type CommandSink } from '../ingest/vehicle-command-queue.ts'
import { redisSink } from '../ingest/vehicle-command-redis.ts'
import { environmentCredentials, sqsSink } from '../ingest/vehicle-command-sqs.ts'
import {
  closeHistory,
  closeLive,
  openLive,
  type PublicAddress,
  type VehicleCommand,
} from '../ingest/vehicle-command-words.ts'
import { type HistoryKeeper, VehicleHistory } from '../ingest/vehicle-history.ts'
import { addressOf, historyChannelOf } from '../ingest/vehicle-history-request.ts'
import { parseZone } from '../ingest/vehicle-history-time.ts'
import { vehicleAllow } from '../listen/vehicle-allow.ts'
import type { Recorders } from '../record/recorders.ts'
import type { Recordings } from '../record/recordings.ts'
import type { Ring } from '../ring/types.ts'
import type { AgentOptions } from './options.ts'

type CallsParts = {
  hub: Hub
  vehicles: Vehicles
  recorders: Pick<Recorders, 'setPolicy' | 'setWallOffset' | 'forget'>
  recordings: Pick<Recordings, 'begin' | 'endStream'>
  ring: Pick<Ring, 'addGap' | 'segments'>
  /** Streams for which a person or the configuration said what is kept. */
  hasPolicy: (stream: string) => boolean
}

/** What the rest of the agent asks of vehicles: who wants which channel, and the history that plays. */
export type VehicleWants = {
  calls: VehicleCalls
  history: VehicleHistory
  commands: VehicleCommands
  queue: CommandQueue | undefined
  /** As its stream is called, for a channel that may be called; undefined for all else. */
  nameOf(name: string): string | undefined
  /** A channel that nobody publishes yet is a stream too: whoever waits for it wants it. */
  findStream(name: string): Stream | undefined
  /** For a subscription. Throws for a channel that may not be called, and when there are too many. */
  hold(stream: string, holder: CallHolder): Disposable
  watched(stream: string, viewers: number): void
  claimed(stream: string, claims: number): void
  /** Kept, whether anybody watches or not. */
  always(stream: string, always: boolean): void
  waitMs(stream: string): number | undefined
  /** The recording of history that has this stream for itself: its times are not those of now. */
  recordingOf(stream: string): string | undefined
  /** Ends recordings of history that a killed agent left open. Answers the others. */
  resume(recordings: readonly Recording[]): Promise<Recording[]>
}

/** Vehicles that are wanted: commands to the platform, and what vehicles have recorded. */
export function startVehicleCalls(
  stack: AsyncDisposableStack,
  options: AgentOptions,
  parts: CallsParts,
): VehicleWants {
  const { config, clock } = options
  const { hub, vehicles } = parts
  const place = publicAddress(config)
  const queue = startQueue(stack, options)
  const push = (command: VehicleCommand) => queue?.push(command) ?? { waiting: false }
  const asking = queue && place ? { commands: { push, place } } : {}
  const zoneOf = zones(config)
  const history = stack.use(
    new VehicleHistory({
      ...{ clock, hub, vehicles, zoneOf, keeper: keeperOf(parts), ...asking },
      onEvent: (event) => options.log.info(event, `history of a vehicle ${event.type}`),
      onFault: (message, error) => options.log.error({ err: error }, message),
    }),
  )
  const calls = stack.use(
    new VehicleCalls({
      ...{ clock, vehicles, ...(asking.commands && { push }) },
      onOver: (stream) => forgetUnseen(stream, parts),
      open: (vehicle, door) => (door === 'live' && place ? openLive(vehicle, place) : undefined),
      close: (vehicle, door) =>
        door === 'live' && place ? closeLive(vehicle, place) : closeHistory(vehicle),
    }),
  )
  const nameOf = namesOf(config)
  /** It never throws: a viewer whose vehicle cannot be called any more waits like others, and is told that none came. */
  const want = (stream: string, reason: 'watched' | 'recorded' | 'always', wanted: boolean) => {
    try {
      if (nameOf(stream) !== undefined) calls.setWanted(stream, reason, wanted)
    } catch (error) {
      options.log.warn({ stream, reason: AppError.from(error).message }, 'a vehicle is not called')
    }
  }
  return {
    ...{ calls, history, queue, nameOf },
    commands: vehicleCommands(config, { calls, history, queue, zoneOf, nameOf, vehicles }),
    findStream: (name) => {
      const wanted = history.shows(name) ? name.toLowerCase() : nameOf(name)
      return wanted === undefined ? undefined : hub.expect(wanted)
    },
    hold: (stream, holder) => {
      if (nameOf(stream) !== undefined) return calls.hold(stream, holder)
      throw notAdmitted()
    },
    watched: (stream, viewers) => {
      want(stream, 'watched', viewers > 0)
      history.setWatched(stream, viewers)
    },
    claimed: (stream, claims) => want(stream, 'recorded', claims > 0),
    always: (stream, always) => want(stream, 'always', always),
    waitMs: (stream) =>
      (historyChannelOf(stream) ?? nameOf(stream)) === undefined ? undefined : vehicleWaitMs,
    recordingOf: (stream) => history.recordingOf(stream),
    resume: (recordings) => endHistories(recordings, parts),
  }
}

function publicAddress({ vehicles }: Config): PublicAddress | undefined {
  const { publicHost: host, live, history } = vehicles
  if (host === null) return undefined
  return { host, livePort: live?.port ?? 9501, historyPort: history?.port ?? 9502 }
}

function startQueue(stack: AsyncDisposableStack, options: AgentOptions): CommandQueue | undefined {
  const { config, clock, log } = options
  const sink = sinkOf(config, clock)
  if (!sink) return undefined
  const onEvent = (event: CommandEvent) => {
    const to = sink.display
    if (event.type === 'away') {
      log.warn({ to, reason: event.error.message }, 'commands for vehicles do not get through, they wait')
    } else if (event.type === 'back') log.info({ to }, 'commands for vehicles get through again')
    else {
      const about = { to, command: event.command.id, channel: event.command.channel }
      if (event.type === 'sent') log.debug(about, 'vehicle command sent')
      else log.warn({ ...about, why: event.type }, 'a command for a vehicle was given up')
    }
  }
  return stack.use(new CommandQueue({ sink, clock, onEvent }))
}

function sinkOf({ vehicles: { commands } }: Config, clock: Clock): CommandSink | undefined {
  if (!commands) return undefined
  if ('redis' in commands) return redisSink({ url: commands.redis, key: commands.key })
  if ('hook' in commands) return hookSink({ url: commands.hook, secret: commands.secret, clock })
  const credentials = () => environmentCredentials(process.env)
  return sqsSink({ url: commands.sqs, region: commands.region, credentials, clock })
}

/** Only where such a vehicle could connect: another name is no reason to call anybody. */
function namesOf({ vehicles }: Config): (name: string) => string | undefined {
  const allowed = {
    live: vehicleAllow(vehicles.live?.allow ?? []),
    history: vehicleAllow(vehicles.history?.allow ?? []),
  }
  return (name) => {
    const vehicle = parseVehicleStream(name)
    if (!vehicle || !vehicles[vehicle.door] || !allowed[vehicle.door].sim(vehicle.sim)) return undefined
    return name.toLowerCase()
  }
}

function zones({ vehicles: { zone, zones: own } }: Config): (sim: string) => number {
  const bare = (sim: string) => sim.toLowerCase().replace(/^0+/, '')
  const bySim = new Map(Object.entries(own).map(([sim, text]) => [bare(sim), parseZone(text)]))
  const usual = parseZone(zone)
  return (sim) => bySim.get(bare(sim)) ?? usual
}

function keeperOf({ hub, recorders, recordings, ring }: CallsParts): HistoryKeeper {
  return {
    begin: (request) => recordings.begin(request),
    endStream: (id, stream, end) => recordings.endStream(id, stream, end),
    setWallOffset: (stream, offset) => recorders.setWallOffset(stream, offset),
    keepNothing: (stream) => recorders.setPolicy(stream, 'off'),
    addGap: (stream, gap) => ring.addGap(stream, gap),
    forget: (stream) => {
      hub.remove(stream)
      recorders.forget(stream)
    },
  }
}

/** A name that was only asked for: whoever guesses names must not fill the memory with them. */
function forgetUnseen(name: string, { hub, recorders, hasPolicy }: CallsParts): void {
  const stream = hub.stream(name)
  if (!stream || stream.state === 'live' || stream.stats.units > 0 || hasPolicy(stream.name)) return
  hub.remove(stream.name)
  recorders.forget(stream.name)
}

function notAdmitted(): AppError {
  return new AppError('PermissionDenied', 'this vehicle is not on the list, or its port is off', {
    zh: '该车辆不在允许列表中，或端口未开启。',
  })
}

type CommandParts = Pick<VehicleWants, 'calls' | 'history' | 'queue' | 'nameOf'> & {
  zoneOf: (sim: string) => number
  vehicles: Pick<Vehicles, 'channels'>
}

function vehicleCommands(
  { vehicles: { live, history: past } }: Config,
  { calls, history, queue, zoneOf, nameOf, vehicles }: CommandParts,
): VehicleCommands {
  return {
    history,
    about: (vehicle) => {
      const { device, address } = addressOf(vehicle)
      if (nameOf(vehicle) === undefined) throw notAdmitted()
      const { sim, channel } = address
      return { name: device, sim, channel, zoneMs: zoneOf(sim) }
    },
    list: () => ({
      doors: [...(live ? (['live'] as const) : []), ...(past ? (['history'] as const) : [])],
      connected: vehicles.channels().map(shown),
      vehicles: calls.list().map(({ stream, ...info }) => ({ name: stream, ...info })),
      histories: history.list(),
      ...(queue ? { commands: { to: queue.display, ...queue.figures } } : {}),
    }),
    answered: (vehicle, items) => history.lists.answer(addressOf(vehicle).device, items),
    zoneMs: (vehicle) => zoneOf(addressOf(vehicle).address.sim),
  }
}

/** Not its address: whoever may watch sees this. */
function shown(of: VehicleChannel): VehiclesAnswer['connected'][number] {
  const { stream: name, sim, channel, version, door, connectedAt, packets, bytes } = of
  return { name, sim, channel, version, door, connectedAt, packets, bytes }
}

async function endHistories(
  recordings: readonly Recording[],
  { recordings: claims, ring }: Pick<CallsParts, 'recordings' | 'ring'>,
): Promise<Recording[]> {
  const isHistory = ({ streams }: Recording) =>
    streams.every(({ name }) => historyChannelOf(name) !== undefined && !parseVehicleStream(name))
  for (const { id, streams } of recordings.filter(isHistory)) {
    for (const { name, from } of streams) {
      const last = (await ring.segments({ stream: name })).at(-1)
      await claims.endStream(id, name, { to: last?.to ?? from })
    }
  }
  return recordings.filter((recording) => !isHistory(recording))
}
