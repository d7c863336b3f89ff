import { AppError } from '../../shared/error.ts'
import type { VehicleTime } from './vehicle-command-words.ts'

const minuteMs = 60_000

/** `+08:00` → ms to add to UTC. InvalidArgument for another text. */
export function parseZone(text: string): number {
  const [, sign, hours, minutes] = /^([+-])(0\d|1[0-4]):([0-5]\d)$/.exec(text) ?? []
  if (sign === undefined) {
    throw new AppError('InvalidArgument', 'a time zone is written +08:00', { zh: '时区应写作 +08:00。' })
  }
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * minuteMs
}

/** Wall ms → what a vehicle of that zone calls it, to the second (JT/T 808: BCD[6]). */
export function toVehicleTime(wallMs: number, zoneMs: number): VehicleTime {
  return new Date(wallMs + zoneMs)
    .toISOString()
    .replace(/\.\d{3}Z$/, '')
    .replaceAll(/[-:T]/g, '')
    .slice(2)
}

/** InvalidArgument for what no clock shows. */
export function fromVehicleTime(text: VehicleTime, zoneMs: number): number {
  const [, year, month, day, hour, minute, second] = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text) ?? []
  const wallMs = Date.parse(`20${year}-${month}-${day}T${hour}:${minute}:${second}Z`) - zoneMs
  if (Number.isNaN(wallMs) || toVehicleTime(wallMs, zoneMs) !== text) {
    throw new AppError('InvalidArgument', 'a vehicle’s time is written YYMMDDhhmmss', {
      zh: '车辆时间应写作 YYMMDDhhmmss。',
    })
  }
  return wallMs
}
