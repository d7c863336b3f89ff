import type { z } from 'zod'
import type { vehicleResources } from '../../shared/contract/vehicle-api.ts'
import { historyRangeMsMax } from '../../shared/vehicle-limits.ts'
import type { VehicleFootage } from './vehicle-footage.ts'
import type { HistoryRange } from './vehicle-history.ts'

/** One file of a vehicle's list (JT/T 1078-2016, 1205), as a platform passes it on. */
export type ResourceItem = z.input<typeof vehicleResources>['items'][number]

const fileMs = 300_000

/**
 * The files of five minutes that a simulated vehicle holds of a range: its film has run since the epoch, so there is
 * no hole. Times are the vehicle's own, as if its clock were UTC.
 */
export function heldFiles(range: HistoryRange, footage: VehicleFootage): ResourceItem[] {
  const toMs = Math.min(range.toMs, range.fromMs + historyRangeMsMax)
  const firstMs = Math.floor(range.fromMs / fileMs) * fileMs
  const size = String(Math.round((bytesOf(footage) * fileMs) / footage.durationMs))
  const media = footage.frames.some(({ dataType }) => dataType === 3) ? '0' : '2'
  return Array.from({ length: Math.max(0, Math.ceil((toMs - firstMs) / fileMs)) }, (_, i) => ({
    startTime: timeText(firstMs + i * fileMs),
    endTime: timeText(firstMs + (i + 1) * fileMs),
    ...{ dataType: media, codeStreamType: '1', memoryType: '1', alarm: '0', size },
  }))
}

/** YYMMDDhhmmss as if it were UTC: a vehicle's own time has no zone. */
export function timeOf(text: string): number {
  const [year = 0, month = 1, day = 1, hour, minute, second] = (text.match(/../g) ?? []).map(Number)
  return Date.UTC(2000 + year, month - 1, day, hour, minute, second)
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/\D/g, '').slice(2, 14)
}

function bytesOf({ frames }: VehicleFootage): number {
  return frames.reduce((sum, { body }) => sum + body.length, 0)
}
