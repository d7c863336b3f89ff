import { z } from 'zod'
import { AppError } from '../shared/error.ts'
import { vehicleAllowMax } from '../shared/vehicle-limits.ts'
import { parseZone } from './ingest/vehicle-history-time.ts'
import { vehicleAllow } from './listen/vehicle-allow.ts'

const port = z.number().int().min(0).max(65535)

const allowEntry = z.string().superRefine((text, context) => {
  try {
    vehicleAllow([text])
  } catch (error) {
    context.addIssue({ code: 'custom', message: AppError.from(error).message })
  }
})

/** No SIM: who subscribes or calls a hook is known by its address alone. */
const addressEntry = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()])

const zone = z.string().superRefine((text, context) => {
  try {
    parseZone(text)
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
const vehicles = z.strictObject({
  live: vehicleDoor(9501).optional(),
  history: vehicleDoor(9502).optional(),
  /** The inner protocol of the vehicle server. `port`: live, for servers; `clients`: live, for desktop clients. */
  inner: z
    .strictObject({
      port: port.nullable().default(9511),
      history: port.nullable().default(null),
      clients: port.nullable().default(null),
      allow: z.array(addressEntry).max(vehicleAllowMax).default([]),
    })
    .optional(),
  /** Name or address by which vehicles reach this machine. */
  publicHost: z
    .string()
    .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/, 'a name or an IPv4 address, without a port')
    .nullable()
    .default(null),
  /** By whom vehicles are told to open and close. */
  commands: z
    .union(
      [
        z.strictObject({
          redis: z.url({ protocol: /^rediss?$/ }),
          key: z.string().min(1).max(256).default('EXTERNAL_COMMAND'),
        }),
        z.strictObject({ hook: z.url({ protocol: /^https?$/ }), secret: z.string().min(16) }),
        z.strictObject({
          sqs: z.url({ protocol: /^https?$/ }),
          region: z.string().regex(/^[a-z0-9-]{1,32}$/),
        }),
      ],
      'give { redis }, or { hook, secret } with a secret of 16 characters, or { sqs, region }',
    )
    .optional(),
  /** Of the vehicles' clocks, and of those by SIM that have another. */
  zone: zone.default('+08:00'),
  zones: z.record(z.string().regex(/^[0-9a-fA-F]{4,20}$/, 'a SIM'), zone).default({}),
  /** What is kept of channels for which `streams` says nothing. */
  ring: z.enum(['off', 'on-demand', 'always']).default('on-demand'),
})

export const vehiclesSchema = vehicles.superRefine(({ commands, publicHost, live }, context) => {
  if (!commands) return
  if (publicHost === null)
    context.addIssue({
      ...{ code: 'custom', path: ['publicHost'] },
      message:
        'vehicles are told where to connect: give the name or address by which they reach this machine',
    })
  if (!live)
    context.addIssue({
      ...{ code: 'custom', path: ['live'] },
      message: 'vehicles that are told to open need a port: name vehicles.live',
    })
  if (publicHost !== null && isOnlyHere(publicHost) && (live?.allow.length ?? 0) > 0)
    context.addIssue({
      ...{ code: 'custom', path: ['publicHost'] },
      message: 'vehicles elsewhere cannot reach this machine by a loopback address',
    })
})
export type VehiclesConfig = z.infer<typeof vehiclesSchema>

function isOnlyHere(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.')
}

const rtmpApp = z
  .string()
  .regex(/^rtmp:\/\/[^/\s]+\/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\/?$/, 'an app of an SRS: rtmp://host/live')

/** An SRS that shows vehicles: its hooks, and where what it shows is pushed. */
export const srsSchema = z.strictObject({
  hooks: z
    .strictObject({
      live: port.nullable().default(9531),
      history: port.nullable().default(null),
      allow: z.array(addressEntry).max(vehicleAllowMax).default([]),
    })
    .prefault({}),
  push: rtmpApp,
  /** Of history; the same server's app `replay` otherwise. */
  pushHistory: rtmpApp.nullable().default(null),
  /** Its HTTP API, by which forgotten viewers are found; port 1985 of the host of `push` otherwise. */
  api: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
  apiHistory: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
})
export type SrsConfig = z.infer<typeof srsSchema>
