import { z } from 'zod'
import { historyItemsMax } from '../vehicle-limits.ts'
import { timeText } from './agent-api.ts'
import { name } from './segment.ts'

/** Shapes of the agent's API about vehicles (`/agent/v1/vehicles`). Times in answers: wall ms. */

const count = z.number().int().min(0)
const wallMs = z.number().int()

export const vehicleInfo = z.object({
  /** Of its live stream: SIM and channel in hex; `replay-` before it for history. */
  name,
  /** Who wants it now; `callers` of them leave the calling to us. */
  holders: count,
  callers: count,
  connected: z.boolean(),
  /** It was told to open, and not yet to close. */
  opened: z.boolean(),
  /** Open commands that were repeated since it is wanted. */
  repeats: count,
})

const door = z.enum(['live', 'history'])

/** A channel that is connected now, by its port. */
export const connectedChannel = z.object({
  /** Of its stream: SIM and channel in hex, `replay-` before it for history. */
  name,
  sim: z.string(),
  channel: count,
  version: z.union([z.literal(2016), z.literal(2019)]),
  door,
  connectedAt: wallMs,
  packets: count,
  bytes: count,
})
export type ConnectedChannel = z.infer<typeof connectedChannel>

/** A channel that may be called, connected or not. */
export const vehicleChannel = z.object({
  name,
  sim: z.string(),
  channel: count,
  /** Ms that the vehicle's clock is ahead of UTC: it names the time of its history so. */
  zoneMs: z.number().int(),
})
export type VehicleChannelInfo = z.infer<typeof vehicleChannel>

export const commandFigures = z.object({
  /** Where commands go, without secrets. */
  to: z.string(),
  queued: count,
  sent: count,
  failed: count,
  expired: count,
  dropped: count,
  awaySince: wallMs.optional(),
  error: z.string().optional(),
})

export const historyInfo = z.object({
  vehicle: name,
  /** By which it is watched: `/live/<stream>.flv`. */
  stream: name,
  from: wallMs,
  to: wallMs,
  /** `waiting`: the vehicle has not come, or not come back. */
  state: z.enum(['waiting', 'playing', 'paused', 'over']),
  /** What is shown now; an estimate after a jump or at another speed. */
  position: wallMs,
  recording: name.optional(),
  /** Why it is over. */
  end: z
    .enum(['complete', 'stopped', 'unwatched', 'vehicle-away', 'vehicle-lost', 'replaced', 'shutdown'])
    .optional(),
})
export type HistoryInfo = z.infer<typeof historyInfo>

export const vehicles = z.object({
  /** Ports that are configured. */
  doors: z.array(door),
  connected: z.array(connectedChannel),
  /** Channels that are wanted. */
  vehicles: z.array(vehicleInfo),
  histories: z.array(historyInfo),
  /** Absent where none are configured. */
  commands: commandFigures.optional(),
})
export type VehiclesAnswer = z.infer<typeof vehicles>

export const historyRange = z.strictObject({ from: timeText, to: timeText })

export const playHistory = z.strictObject({
  from: timeText,
  to: timeText,
  /** Into the archive, as a recording with the vehicle's own times. */
  record: z.boolean().default(false),
  title: z.string().max(200).optional(),
  labels: z.array(z.string().max(64)).max(32).optional(),
})

export type PlayHistory = z.input<typeof playHistory>

const speed = z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8), z.literal(16)])
export const historyControl = z.discriminatedUnion('action', [
  z.strictObject({ action: z.enum(['pause', 'resume', 'keyFrames', 'stop']) }),
  z.strictObject({ action: z.enum(['fast', 'back']), speed }),
  z.strictObject({ action: z.literal('seek'), at: timeText }),
])
export type HistoryControl = z.input<typeof historyControl>

export const historyItem = z.object({
  from: wallMs,
  to: wallMs,
  media: z.enum(['av', 'audio', 'video', 'av-or-video']),
  stream: z.enum(['any', 'main', 'sub']),
  memory: z.enum(['any', 'main', 'backup']),
  sizeBytes: count,
  /** Flags, as the vehicle gave them. */
  alarm: z.string(),
})
export type HistoryItem = z.infer<typeof historyItem>
export const historyItems = z.object({ items: z.array(historyItem) })

const digits = z.union([z.string().regex(/^\d{1,20}$/), z.number().int().min(0)]).transform(String)
const vehicleTime = z.string().regex(/^\d{12}$/, 'a time of the vehicle: YYMMDDhhmmss')

/**
 * A vehicle's answer 1205, passed back by the platform that asked it (JT/T 1078-2016, table 23), whole: the items of all
 * its messages. Times as the vehicle gives them; numbers as text, as in the commands, or as numbers.
 */
export const vehicleResources = z.object({
  items: z
    .array(
      z.object({
        startTime: vehicleTime,
        endTime: vehicleTime,
        /** 0 sound and pictures, 1 sound, 2 pictures, 3 either. */
        dataType: digits.default('0'),
        /** 0 any, 1 main, 2 sub. */
        codeStreamType: digits.default('0'),
        /** 0 any, 1 main, 2 backup. */
        memoryType: digits.default('0'),
        alarm: digits.default('0'),
        /** Bytes. */
        size: digits.default('0'),
      }),
    )
    .max(historyItemsMax),
})
export type VehicleResources = z.output<typeof vehicleResources>
export const resourcesTaken = z.object({
  /** False: nobody has asked, or no longer waits. */
  taken: z.boolean(),
})
