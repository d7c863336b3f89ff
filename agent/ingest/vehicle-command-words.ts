/**
 * What is said to the platform that speaks JT/T 808 with the vehicles: one JSON object, all values strings
 * (PROTOCOLS.md, 2 and 9). 9101, 9102 and the end of a history are the seed's to the letter; the rest is in its manner.
 */
export type VehicleCommand = {
  /** Of one channel, in order: the name of its stream. */
  readonly channel: string
  readonly id: '9101' | '9102' | '9201' | '9202' | '9205'
  readonly json: string
  /** True however late it is said: a vehicle that was never told to stop sends for ever, over somebody's mobile network. */
  readonly lasting?: true
}

/** A channel of a vehicle, as its stream's name says. */
export type VehicleAddress = { readonly stream: string; readonly sim: string; readonly channel: number }

/** Where vehicles are to connect. */
export type PublicAddress = { host: string; livePort: number; historyPort: number }

/** JT/T 1078-2016, 9202: what a vehicle does with a history that plays. */
export const historyControls = {
  resume: '0',
  pause: '1',
  end: '2',
  fast: '3',
  back: '4',
  seek: '5',
  keyFrames: '6',
} as const
export type HistoryControl = keyof typeof historyControls

/** 9201 and 9202 number them 1 to 5. */
export const historySpeeds = [1, 2, 4, 8, 16] as const
export type HistorySpeed = (typeof historySpeeds)[number]

/** YYMMDDhhmmss, in the vehicle's own time. */
export type VehicleTime = string

function command(
  id: VehicleCommand['id'],
  { stream, sim, channel }: VehicleAddress,
  fields: Record<string, string>,
): VehicleCommand {
  const { port, ip, ...rest } = fields
  const where = port === undefined || ip === undefined ? {} : { port, ip }
  const said = { ...where, iccid: sim, channelNo: String(channel), ...rest, commandId: id }
  return { channel: stream, id, json: JSON.stringify(said) }
}

export function openLive(vehicle: VehicleAddress, { host, livePort }: PublicAddress): VehicleCommand {
  const fields = { port: String(livePort), ip: host, dataType: '0', codeStreamType: '1' }
  return command('9101', vehicle, fields)
}

export function closeLive(vehicle: VehicleAddress, { host, livePort }: PublicAddress): VehicleCommand {
  const fields = { port: String(livePort), ip: host, dataType: '0', codeStreamType: '1' }
  return { ...command('9102', vehicle, fields), lasting: true }
}

type Range = { from: VehicleTime; to: VehicleTime }

export function openHistory(
  vehicle: VehicleAddress,
  { host, historyPort }: PublicAddress,
  { from, to }: Range,
): VehicleCommand {
  return command('9201', vehicle, {
    ...{ port: String(historyPort), ip: host, dataType: '0', codeStreamType: '0', memoryType: '0' },
    ...{ playbackMode: '0', speed: '0', startTime: from, endTime: to },
  })
}

/** The seed's: 9202 without a control is the end. */
export function closeHistory(vehicle: VehicleAddress): VehicleCommand {
  return { ...command('9202', vehicle, {}), lasting: true }
}

export function controlHistory(
  vehicle: VehicleAddress,
  control: Exclude<HistoryControl, 'end'>,
  { speed, time }: { speed?: HistorySpeed; time?: VehicleTime } = {},
): VehicleCommand {
  return command('9202', vehicle, {
    control: historyControls[control],
    speed: String(speed === undefined ? 0 : historySpeeds.indexOf(speed) + 1),
    time: time ?? '000000000000',
  })
}

export function queryHistory(vehicle: VehicleAddress, { from, to }: Range): VehicleCommand {
  return command('9205', vehicle, {
    ...{ startTime: from, endTime: to, alarm: '0' },
    ...{ dataType: '0', codeStreamType: '0', memoryType: '0' },
  })
}
