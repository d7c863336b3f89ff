import { z } from 'zod'
import { AppError } from '../shared/error.ts'
import { vehicleAllowMax } from '../shared/limits.ts'
import { vehicleAllow } from './listen/vehicle-allow.ts'

const port = z.number().int().min(0).max(65535)

const allowEntry = z.string().superRefine((text, context) => {
  try {
    vehicleAllow([text])
  } catch (error) {
    context.addIssue({ code: 'custom', message: AppError.from(error).message })
  }
})

function vehicleDoor(standard: number) {
  return z.strictObject({
    port: port.default(standard),
    /** SIMs, addresses and networks; none: only this machine. */
    allow: z.array(allowEntry).max(vehicleAllowMax).default([]),
  })
}

/** JT/T 1078. A port is off unless it is named. */
export const vehiclesSchema = z.strictObject({
  live: vehicleDoor(9501).optional(),
  history: vehicleDoor(9502).optional(),
  /** What is kept of channels for which `streams` says nothing. */
  ring: z.enum(['off', 'on-demand', 'always']).default('on-demand'),
})
export type VehiclesConfig = z.infer<typeof vehiclesSchema>
