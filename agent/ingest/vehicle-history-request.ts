import { AppError } from '../../shared/error.ts'
import { historyRangeMsMax } from '../../shared/vehicle-limits.ts'
import { parseVehicleStream, vehicleStream } from './vehicle.ts'
import {
  controlHistory,
  type HistorySpeed,
  type VehicleAddress,
  type VehicleCommand,
} from './vehicle-command-words.ts'
import type { HistoryItem, TimeRange } from './vehicle-history-lists.ts'
import { toVehicleTime } from './vehicle-history-time.ts'

/** What a person may do with a history that plays. */
export type HistoryAction =
  | { action: 'stop' }
  | { action: 'pause' | 'resume' | 'keyFrames' }
  | { action: 'fast' | 'back'; speed: HistorySpeed }
  | { action: 'seek'; at: number }

/** `replay-<device id>` of a stream that shows history, also of one that was asked for here. */
export function historyChannelOf(stream: string): string | undefined {
  return /^(replay-(?:[0-9a-f]{14}|[0-9a-f]{22}))(?:-[0-9a-z]+)?$/.exec(stream.toLowerCase())?.[1]
}

/** By the name of its live stream, or of its history. `InvalidArgument`. */
export function addressOf(vehicle: string): { device: string; address: VehicleAddress } {
  const parsed = parseVehicleStream(vehicle)
  if (!parsed) {
    throw new AppError('InvalidArgument', 'a vehicle’s channel is named by its SIM and channel, in hex', {
      zh: '车辆通道以 SIM 卡号加通道号（十六进制）命名。',
    })
  }
  const { sim, channel, deviceId } = parsed
  return { device: deviceId, address: { stream: vehicleStream(deviceId, 'history'), sim, channel } }
}

/** Whole seconds: commands know no others. What is still to come is left out. `InvalidArgument`. */
export function checkedRange({ from, to }: TimeRange, nowMs: number): TimeRange {
  const end = Math.min(to, nowMs)
  const range = { from: Math.floor(from / 1000) * 1000, to: Math.ceil(end / 1000) * 1000 }
  if (range.to > range.from && range.to - range.from <= historyRangeMsMax && range.from < nowMs) return range
  throw new AppError('InvalidArgument', 'a history is a range of at most 24 hours that begins in the past', {
    zh: '历史范围须在过去开始，且不超过 24 小时。',
  })
}

/** `InvalidArgument` for a time that is not played. */
export function checkPlace(at: number, { from, to }: TimeRange): void {
  if (at >= from && at <= to) return
  throw new AppError(
    'InvalidArgument',
    'this time is not in the range that is played: ask for another range',
    {
      zh: '该时间不在播放范围内：请另选范围。',
    },
  )
}

/** As much of the range as the vehicle says it holds, if it was asked. `NotFound` when that is nothing. */
export function heldPart(range: TimeRange, items: readonly HistoryItem[] | undefined): TimeRange {
  if (!items) return range
  const [first] = items
  if (!first) {
    throw new AppError('NotFound', 'the vehicle holds nothing of that time', { zh: '车辆没有该时间的录像。' })
  }
  const end = Math.max(...items.map(({ to }) => to))
  return { from: Math.max(range.from, first.from), to: Math.min(range.to, end) }
}

export function controlCommand(
  address: VehicleAddress,
  action: Exclude<HistoryAction, { action: 'stop' }>,
  zoneMs: number,
): VehicleCommand {
  if (action.action === 'seek') {
    return controlHistory(address, 'seek', { time: toVehicleTime(action.at, zoneMs) })
  }
  const speed = 'speed' in action ? { speed: action.speed } : {}
  return controlHistory(address, action.action, speed)
}

export function isOver(): AppError {
  return new AppError('FailedPrecondition', 'this history is over: ask for it again', {
    zh: '该历史播放已结束。',
  })
}

export function isRecorded(): AppError {
  return new AppError(
    'FailedPrecondition',
    'this history is being recorded, from its beginning to its end at its own speed: stop it, or wait',
    { zh: '该历史正在录制，须按原速从头到尾播放：请停止或等待。' },
  )
}
