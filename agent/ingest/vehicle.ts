import type { Jt1078Packet } from '../protocol/jt1078.ts'

/** Which port it came to: live pictures, or what was recorded in the vehicle. */
export type VehicleDoor = 'live' | 'history'

/** A channel of a vehicle that is connected. */
export type VehicleChannel = {
  /** Name of its stream: device id (12 or 20 hex digits of the SIM, 2 of the channel, lower case), `replay-` before it for history. */
  readonly stream: string
  readonly sim: string
  readonly channel: number
  readonly version: 2016 | 2019
  readonly door: VehicleDoor
  /** Of the vehicle, as its socket says. */
  readonly address: string
  /** Wall ms of its first packet on this connection. */
  readonly connectedAt: number
  readonly packets: number
  readonly bytes: number
}

/** Why a connection was closed; each is counted. */
export type VehicleEnd =
  | 'peer' // The other side closed it.
  | 'idle' // No packet came.
  | 'silent' // No packet comes any more.
  | 'malformed' // What came is not JT/T 1078.
  | 'not-allowed' // Neither its address nor its SIM is on the list.
  | 'sim-changed' // It said to be another vehicle.
  | 'displaced' // A newer connection gives the same channels.
  | 'refused' // The hub took none of its channels.
  | 'too-many-channels'
  | 'memory' // Unfinished pictures past the bound.
  | 'flood'
  | 'fault'
  | VehicleGoodbye

/**
 * Why a channel's connection ends that we end; counted. `unwanted`: nobody watches any more, so nothing is missing;
 * `closed`: somebody asked for it.
 */
export type VehicleGoodbye = 'unwanted' | 'closed' | 'shutdown'

/** The vehicles that are connected. */
export type Vehicles = {
  channels(): VehicleChannel[]
  /** By the name of its stream, without regard to case. */
  channel(stream: string): VehicleChannel | undefined
  /** Every packet of one channel, or of all, as it comes, before it is understood; never throws into ingest. Call what is returned to stop. */
  tap(stream: string | 'all', onPacket: (packet: Jt1078Packet, channel: VehicleChannel) => void): () => void
  /** A channel has given its first packet on a connection. */
  onConnected(call: (channel: VehicleChannel) => void): () => void
  /** The connection that gave a channel is gone, or another took over. */
  onDisconnected(call: (channel: VehicleChannel, reason: string) => void): () => void
  /** Ends the channel's connection, if it gives no other one; its packets are not taken any more. False when it is not connected. */
  end(stream: string, reason: VehicleGoodbye): boolean
}

const historyPrefix = 'replay-'

export function vehicleStream(deviceId: string, door: VehicleDoor): string {
  return door === 'live' ? deviceId : historyPrefix + deviceId
}

const vehicleName = /^(replay-)?((?:[0-9a-f]{12}|[0-9a-f]{20}))([0-9a-f]{2})$/i

/** What a stream's name says of the vehicle; undefined for names of other streams. */
export function parseVehicleStream(
  name: string,
): { door: VehicleDoor; deviceId: string; sim: string; channel: number } | undefined {
  const [, replay, sim, channel] = vehicleName.exec(name) ?? []
  if (sim === undefined || channel === undefined) return undefined
  return {
    door: replay === undefined ? 'live' : 'history',
    deviceId: (sim + channel).toLowerCase(),
    sim: sim.toLowerCase(),
    channel: Number.parseInt(channel, 16),
  }
}
