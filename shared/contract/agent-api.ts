import { z } from 'zod'
import { linkDefaultS, linkMaxS, sourceUrlCharsMax } from '../limits.ts'
import { gap, name } from './segment.ts'

/** Shapes of the agent's API (`/agent/v1`): what the page, the CLI and scripts send and get. Times in answers: wall ms. */

const count = z.number().int().min(0)
const wallMs = z.number().int()

/** ISO 8601 with an offset, integer ms since the epoch, or `-30s` / `-5m` / `-1h` before now. */
export const timeText = z.union([
  z.number().int().min(0).max(8.64e15),
  z.string().regex(/^-\d{1,6}(s|m|h)$/, 'a time like -30s'),
  z.iso.datetime({ offset: true }),
])
export type TimeText = z.infer<typeof timeText>

const relativeUnits = { s: 1000, m: 60_000, h: 3_600_000 } as const

/** Wall ms of a `TimeText`. */
export function parseTime(text: TimeText, nowMs: number): number {
  if (typeof text === 'number') return text
  const relative = /^-(\d+)([smh])$/.exec(text)
  if (!relative) return Date.parse(text)
  return nowMs - Number(relative[1]) * relativeUnits[relative[2] as 's' | 'm' | 'h']
}

export const ringPolicy = z.enum(['off', 'on-demand', 'always'])
export type RingPolicy = z.infer<typeof ringPolicy>
export const uploadPolicy = z.enum(['recordings', 'always', 'never'])
export type UploadPolicy = z.infer<typeof uploadPolicy>

export const streamSettings = z.strictObject({
  source: z.string().min(1).max(sourceUrlCharsMax).optional(),
  ring: ringPolicy.optional(),
  upload: uploadPolicy.optional(),
})
export type StreamSettings = z.infer<typeof streamSettings>

export const streamInfo = z.object({
  name,
  /** `phone`, `rtmp`, …; absent for a configured stream that never ran. */
  kind: z.string().optional(),
  /** `live`: units come; `waiting`: the source is gone or has not come. */
  state: z.enum(['live', 'waiting']),
  /** The address of a camera that is fetched from, without credentials. */
  source: z.string().optional(),
  /** How it stands with that camera, and why. */
  camera: z
    .object({
      /** `idle`: nobody wants it; `connecting`: until its first key frame; `offline`: it is tried again later. */
      state: z.enum(['idle', 'connecting', 'live', 'offline']),
      since: wallMs,
      /** Connections that ended without being asked to. */
      failures: count,
      reason: z.string().optional(),
      reasonZh: z.string().optional(),
    })
    .optional(),
  ring: ringPolicy,
  upload: uploadPolicy,
  video: z
    .object({
      codec: z.string(),
      codecString: z.string(),
      width: count,
      height: count,
      rotation: z.number().int(),
    })
    .optional(),
  audio: z
    .object({ codec: z.string(), codecString: z.string(), sampleRate: count, channels: count })
    .optional(),
  units: count,
  bytes: count,
  bitsPerSecond: z.number().min(0),
  fps: z.number().min(0),
  lastUnitAt: wallMs.optional(),
  gaps: count,
  viewers: count,
  /** Ids of the open recordings that hold this stream. */
  recordings: z.array(name),
})
export type StreamInfo = z.infer<typeof streamInfo>

/** Of one stream, for probes. */
export const streamHealth = z.object({
  name,
  /** Nothing is wrong with it: for a camera that is fetched from, its last connection did not fail. */
  live: z.boolean(),
  /** Its pictures come now. */
  ready: z.boolean(),
  /** Of its camera where it has one (`camera` of the stream), else of the stream. */
  state: z.enum(['idle', 'connecting', 'live', 'offline', 'waiting']),
  lastUnitAt: wallMs.optional(),
  reason: z.string().optional(),
  reasonZh: z.string().optional(),
})
export type StreamHealth = z.infer<typeof streamHealth>

export const startRecording = z.strictObject({
  streams: z.array(name).min(1).max(64),
  from: timeText.optional(),
  to: timeText.optional(),
  durationSeconds: z
    .number()
    .positive()
    .max(366 * 86_400)
    .optional(),
  title: z.string().max(200).optional(),
  labels: z.array(z.string().max(64)).max(32).optional(),
  /** Which of them must be there, with pictures, before anything is started: none when absent. */
  require: z.union([z.literal('all'), z.array(name).max(64)]).optional(),
})

export const recordingStarted = z.object({
  id: name,
  streams: z.array(
    z.object({
      name,
      /** `recording`: units come; `waiting`: begins with the source; `armed`: begins at a time to come. */
      state: z.enum(['recording', 'waiting', 'armed', 'closed']),
      startsAt: wallMs,
    }),
  ),
})
export type RecordingStarted = z.infer<typeof recordingStarted>

/** What came of one stream of a recording. */
export const streamReport = z.object({
  name,
  /** Within the recording's time; those that a decoder needs from before it are not counted. */
  pictures: count,
  /** Of them, received damaged and kept; absent: none. */
  damaged: count.optional(),
  audioFrames: count,
  segments: count,
  gaps: z.array(gap),
  /** Length of all gaps together. */
  gapMs: count,
  /** Of the first and the last picture (sound where there are none); absent when nothing came. */
  first: wallMs.optional(),
  last: wallMs.optional(),
  /** How well wall times are known: ± ms; `arrival` where the camera's own clock could not be used. */
  clock: z.object({ boundMs: z.number().min(0), source: z.enum(['device', 'arrival']) }).optional(),
})
export type StreamReport = z.infer<typeof streamReport>
export const recordingReport = z.object({
  id: name,
  state: z.enum(['armed', 'open', 'closed']),
  title: z.string().optional(),
  from: wallMs,
  /** Null while it is open. */
  to: wallMs.nullable(),
  streams: z.array(streamReport),
})
export type RecordingReport = z.infer<typeof recordingReport>

export const phoneInfo = z.object({
  /** Names this phone in `phones/{id}/allow`; made by the agent. */
  id: name,
  model: z.string().max(100).optional(),
  address: z.string(),
  /** `waiting`: not yet allowed; `lost`: its connection is gone, its recording is held open for a while. */
  state: z.enum(['waiting', 'ready', 'starting', 'capturing', 'lost']),
  stream: name.optional(),
  recording: name.optional(),
  lastSeenAt: wallMs,
  roundTripMs: z.number().min(0).optional(),
  fps: z.number().min(0).optional(),
  resolutions: z.array(z.object({ width: count, height: count })).optional(),
  /** Refused packets by reason. */
  refused: z.record(z.string(), count),
  message: z.string().max(500).optional(),
})
export type PhoneInfo = z.infer<typeof phoneInfo>

/** Ranges are the phone ingest's to judge (the seed takes a negative rate for the default). */
export const startPhones = z.strictObject({
  width: z.number().int().min(1).max(16_384).optional(),
  height: z.number().int().min(1).max(16_384).optional(),
  bitrateMb: z.number().positive().max(1000).optional(),
  fps: z.number().int().min(-1000).max(1000).optional(),
})
export type StartPhones = z.infer<typeof startPhones>

/** `sent` names every phone that was told, `started` those that answered, `failed` the rest and why. */
export const phonesAnswer = z.object({
  sent: z.array(name),
  started: z.array(name),
  failed: z.array(z.object({ name, reason: z.string(), reasonZh: z.string().optional() })),
  recording: name.optional(),
})
export type PhonesAnswer = z.infer<typeof phonesAnswer>

export const phonesStopped = z.object({
  sent: z.array(name),
  stopped: z.array(name),
  failed: z.array(z.object({ name, reason: z.string(), reasonZh: z.string().optional() })),
})
export type PhonesStopped = z.infer<typeof phonesStopped>

const quantilesMs = z.object({ p50: z.number().min(0), p99: z.number().min(0) })

/** A stream that is pushed on. `target` is host and app: what follows may be a secret. */
const forwardStatus = z.object({
  stream: name,
  target: z.string(),
  state: z.enum(['waiting', 'connecting', 'live']),
  failures: count,
  bytes: count,
  skips: count,
  skippedBytes: count,
  liveSince: wallMs.optional(),
  error: z.string().optional(),
})

/** What goes on live, since the start of the agent. */
const liveStats = z.object({
  /** Streams that are published now, by kind: `phone`, `rtmp`, …. */
  publishers: z.record(z.string(), count),
  /** Viewers that are there now, by transport. */
  viewers: z.object({ http: count, ws: count, rtmp: count, grpc: count }),
  /** Open, also those that neither publish nor play. */
  rtmpConnections: count,
  /** Handed to viewers' sockets. */
  bytes: count,
  /** Times that a slow viewer skipped to a key frame, and what it missed. */
  skips: count,
  skippedBytes: count,
  /** Viewers that left, by reason. */
  ended: z.record(z.string(), count),
  /** From the arrival of a unit until it is with the socket. */
  latencyMs: quantilesMs,
  /** From the arrival of a viewer until its first key frame is with its socket. */
  joinMs: quantilesMs,
  hooks: z.object({ queued: count, delivered: count, failed: count, dropped: count }),
  forwards: z.array(forwardStatus),
})

export const stats = z.object({
  agent: name,
  version: z.string(),
  now: wallMs,
  uptimeMs: z.number().min(0),
  process: z.object({
    cpuSeconds: z.number().min(0),
    rssBytes: count,
    eventLoopDelayP99Ms: z.number().min(0),
  }),
  streams: z.object({ live: count, waiting: count }),
  viewers: count,
  live: liveStats.optional(),
  phones: z.object({ connected: count, waiting: count }),
  /** Where phones and browsers reach this agent; `addresses` are host:port, loopback's only while `lan` is off. */
  door: z
    .object({
      lan: z.boolean(),
      tls: z.boolean(),
      addresses: z.array(z.string()),
      allowWithoutToken: z.boolean(),
      /** Absent while RTMP is off. */
      rtmpPort: count.optional(),
    })
    .optional(),
  ring: z
    .object({
      usedBytes: count,
      quotaBytes: count,
      freeBytes: count,
      segments: count,
      queueBytes: count,
      /** What is wrong with the disk, in words; absent when nothing is. */
      alarm: z.string().optional(),
      /** How far back the ring reaches, per stream. */
      reach: z.array(z.object({ stream: name, from: wallMs, to: wallMs, bytes: count })).optional(),
    })
    .optional(),
  upload: z
    .object({
      state: z.enum(['idle', 'working', 'waiting', 'off']),
      pendingSegments: count,
      pendingBytes: count,
      message: z.string().optional(),
      messageZh: z.string().optional(),
      lastSuccessAt: wallMs.optional(),
    })
    .optional(),
})
export type AgentStats = z.infer<typeof stats>

export const role = z.enum(['viewer', 'publisher', 'operator', 'admin', 'device'])
export type Role = z.infer<typeof role>

export const createToken = z.strictObject({
  name,
  role,
  /** The one stream that the token is good for; any when absent. */
  stream: name.optional(),
})
export const tokenInfo = z.object({
  id: z.string(),
  name,
  role,
  stream: name.optional(),
  createdAt: wallMs,
  lastUsedAt: wallMs.optional(),
})
export type TokenInfo = z.infer<typeof tokenInfo>
/** The only answer that ever holds the token itself. */
export const tokenCreated = tokenInfo.extend({ token: z.string() })

export const createLink = z.strictObject({
  role: z.enum(['viewer', 'publisher']).default('viewer'),
  expiresInS: z.number().int().min(1).max(linkMaxS).default(linkDefaultS),
})
/** `query` opens the stream on every transport; `paths` are where it is usually put. */
export const linkCreated = z.object({
  role: z.enum(['viewer', 'publisher']),
  stream: name,
  expiresAt: wallMs,
  query: z.string(),
  paths: z.object({ rtmp: z.string(), flv: z.string().optional(), phone: z.string().optional() }),
})
export type LinkCreated = z.infer<typeof linkCreated>

/** One that sends or watches now. */
export const liveSession = z.object({
  id: z.string(),
  role: z.enum(['publisher', 'viewer']),
  /** `rtmp`, `phone`, `vehicle`; `http`, `ws`, `rtmp`, `grpc`. */
  transport: z.string(),
  stream: z.string(),
  address: z.string(),
  app: z.string(),
  /** The name of its token; `link:` and the stream. */
  subject: z.string(),
  since: wallMs,
})
export type LiveSession = z.infer<typeof liveSession>

export const openSession = z.strictObject({ token: z.string().min(1).max(512) })
export const sessionInfo = z.object({ subject: z.string(), role, stream: name.optional() })
export type SessionInfo = z.infer<typeof sessionInfo>

export const apiError = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    messageZh: z.string().optional(),
    requestId: z.string(),
  }),
})
