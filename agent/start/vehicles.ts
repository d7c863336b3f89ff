import type { Metrics } from '../control/metrics.ts'
import type { PublishHub } from '../ingest/rtmp.ts'
import type { VehicleDoor } from '../ingest/vehicle.ts'
import { createVehicleIngest, type VehicleData, type VehicleIngest } from '../ingest/vehicle-ingest.ts'
import { openVehiclePort, type VehicleDoorEvent, type VehiclePort } from '../listen/vehicle.ts'
import type { Recorders } from '../record/recorders.ts'
import type { AgentOptions } from './options.ts'

type VehicleParts = {
  hub: PublishHub
  recorders: Pick<Recorders, 'setPolicy'>
  /** Streams for which a person or the configuration said what is kept. */
  hasPolicy: (stream: string) => boolean
  /** It was told to stop, for nobody wants it. */
  isUnwanted: (stream: string) => boolean
  onData: (data: VehicleData) => void
}

/** Vehicles → the hub; what is kept of them. Their ports are opened last (`openVehiclePorts`). */
export function startVehicles({ config, clock, log }: AgentOptions, parts: VehicleParts): VehicleIngest {
  const { hub, recorders, hasPolicy, isUnwanted, onData } = parts
  const ingest = createVehicleIngest({
    ...{ hub, clock, isUnwanted, onData },
    onRefused: (stream, error) => log.warn({ stream, reason: error.message }, 'vehicle refused'),
    onFault: (error) => log.error({ err: error }, 'a reader of a vehicle failed'),
  })
  ingest.vehicles.onConnected(({ stream, address, version }) => {
    if (!hasPolicy(stream)) recorders.setPolicy(stream, config.vehicles.ring)
    log.debug({ stream, address, version }, 'vehicle connected')
  })
  return ingest
}

const doors: readonly VehicleDoor[] = ['live', 'history']

/** The ports that the configuration names. */
export async function openVehiclePorts(
  stack: AsyncDisposableStack,
  { config, clock, log }: AgentOptions,
  {
    vehicleIngest: ingest,
    metrics,
    ownPorts,
  }: { vehicleIngest: VehicleIngest; metrics: Metrics; ownPorts: number[] },
): Promise<void> {
  const onEvent = (event: VehicleDoorEvent) => {
    if (event.type === 'fault') log.error({ err: event.error }, 'a vehicle connection failed')
    else log.debug(event, 'vehicle connection closed')
  }
  const ports = new Map<VehicleDoor, VehiclePort>()
  for (const door of doors) {
    const named = config.vehicles[door]
    if (!named) continue
    const port = stack.use(await openVehiclePort({ ...named, door, clock, ingest, onEvent }))
    ownPorts.push(port.port)
    ports.set(door, port)
    log.info({ door, port: port.port, allowed: named.allow.length }, 'vehicles may connect')
  }
  if (ports.size > 0) vehicleFigures(metrics, ingest, ports)
}

function vehicleFigures(
  metrics: Metrics,
  ingest: VehicleIngest,
  ports: ReadonlyMap<VehicleDoor, VehiclePort>,
): void {
  const { figures, vehicles } = ingest
  const perDoor = (read: (port: VehiclePort) => number) => () =>
    Array.from(ports, ([door, port]) => ({ labels: { door }, value: read(port) }))
  metrics.gauge(
    'edgereel_vehicle_connections',
    'Connections of vehicles, by port',
    perDoor((port) => port.connections),
  )
  metrics.gauge(
    'edgereel_vehicle_held_bytes',
    'Bytes of unfinished pictures of vehicles, by port',
    perDoor((port) => port.heldBytes),
  )
  metrics.gauge(
    'edgereel_vehicle_channels',
    'Channels of vehicles that are connected',
    () => vehicles.channels().length,
  )
  metrics.counterOf(
    'edgereel_vehicle_ended_total',
    'Connections of vehicles that ended, by port and reason',
    () =>
      [...ports].flatMap(([door, { ended }]) =>
        Object.entries(ended).map(([reason, value = 0]) => ({ labels: { door, reason }, value })),
      ),
  )
  metrics.counterOf(
    'edgereel_vehicle_refused_total',
    'What was refused of the packets of vehicles, by reason',
    () => Object.entries(figures.refused).map(([reason, value = 0]) => ({ labels: { reason }, value })),
  )
  for (const [figure, help] of counted) {
    const name = figure.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    metrics.counterOf(`edgereel_vehicle_${name}_total`, help, () => figures[figure])
  }
}

const counted = [
  ['packets', 'Packets of vehicles'],
  ['bytes', 'Bytes of the bodies of packets of vehicles'],
  ['lostPackets', 'Packets that the numbers of vehicles say are missing'],
  ['resyncs', 'Times that the framing of a vehicle was lost'],
  ['skippedBytes', 'Bytes of vehicles that were no packets'],
  ['displaced', 'Channels that a newer connection took over'],
  ['held', 'Packets of channels that a newer connection has'],
  ['spoofed', 'Packets that claimed the place of another vehicle'],
  ['refusedChannels', 'Channels that the hub refused'],
  ['data', 'Pieces of transparent data'],
  ['dataDropped', 'Pieces of transparent data of which hooks were not told'],
] as const
