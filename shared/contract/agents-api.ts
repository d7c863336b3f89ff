import { z } from 'zod'
import { streamsMax } from '../limits.ts'
import { ringPolicy, role, uploadPolicy } from './agent-api.ts'
import { name } from './segment.ts'

/** Bodies of the cloud API's part about agents and tokens (CONTRACT.md, Cloud API). Wall times are integer ms. */

const ms = z.number().int()
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** 80 bits in Crockford's base 32, in four groups: `7KQ2-XR4M-0T9V-C8ZD`. */
export const enrolCode = z
  .string()
  .regex(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/, 'a code of four groups')

export const codeRequest = z.strictObject({ agent: name })
/** The only answer that ever holds the code. `url` is what `edgereel enroll` takes; path-absolute without a public URL. */
export const codeCreated = z.object({ agent: name, code: enrolCode, url: z.string(), expiresAt: ms })
export type CodeCreated = z.infer<typeof codeCreated>

/** The machine makes its token itself and tells only the hash: asked again with the same, the answer is the same. */
export const enrolRequest = z.strictObject({
  code: enrolCode,
  tokenSha256: sha256,
  /** What this data directory is called already; absent while it is empty. */
  agent: name.optional(),
})
export const enrolled = z.object({ agent: name, nowMs: ms })

/** Sent with every call of an agent: which machine it runs on. (A door passes on no `x-edgereel-` of outsiders.) */
export const instanceHeader = 'edgereel-instance'

const rate = z.number().int().min(1000).max(10_000_000_000)
/** `22:00-06:00`, the machine's local time. */
const hours = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'hours are written 22:00-06:00')

/** What an agent is wanted to do. What is absent stays as the agent's own configuration says. */
export const wantedConfig = z.strictObject({
  ring: z
    .strictObject({
      quotaBytes: z.number().int().min(1_000_000).max(1e15),
      whenFull: z.enum(['overwrite', 'stop']),
    })
    .partial()
    .optional(),
  streams: z
    .record(name, z.strictObject({ ring: ringPolicy, upload: uploadPolicy }).partial())
    .refine((streams) => Object.keys(streams).length <= streamsMax, `at most ${streamsMax} streams`)
    .optional(),
  upload: z
    .strictObject({
      /** Bytes per second; null: as fast as it goes. */
      bandwidth: rate.nullable(),
      /** Null: always. */
      hours: hours.nullable(),
    })
    .partial()
    .optional(),
})
export type WantedConfig = z.infer<typeof wantedConfig>

/** Down with each heartbeat. */
export const versionedConfig = z.object({ version: z.number().int().min(1), wanted: wantedConfig })
export type VersionedConfig = z.infer<typeof versionedConfig>

/** Up with each heartbeat, once there is something to say. */
export const reportedConfig = z.object({
  version: z.number().int().min(0),
  state: z.enum(['applied', 'refused']),
  message: z.string().max(500).optional(),
})
export type ReportedConfig = z.infer<typeof reportedConfig>

export const configRequest = z.strictObject({
  wanted: wantedConfig,
  /** Only if this is the version that is set now: who has read an older one does not overwrite a newer. */
  ifVersion: z.number().int().min(0).optional(),
})
export const configAnswer = z.object({
  version: z.number().int().min(0),
  wanted: wantedConfig,
  reported: reportedConfig.optional(),
})
export type ConfigAnswer = z.infer<typeof configAnswer>

export const agentPath = z.object({ name })

export const agentItem = z.object({
  name,
  version: z.string().optional(),
  lastSeen: ms,
  online: z.boolean(),
  /** Its token was revoked; its recordings stay. */
  revoked: z.boolean(),
  /** The cloud's clock minus the agent's, as the agent measured it. */
  clock: z.object({ offsetMs: z.number(), boundMs: z.number() }).optional(),
  config: z.object({ wanted: z.number().int(), reported: reportedConfig.optional() }).optional(),
  /** Another machine that says it is this agent, and is refused. */
  twin: z.object({ lastSeen: ms }).optional(),
  state: z.record(z.string(), z.unknown()),
})
export type AgentItem = z.infer<typeof agentItem>
export const agentsPage = z.object({ agents: z.array(agentItem), cursor: z.string().optional() })

export const cloudTokenRequest = z.strictObject({
  name,
  /** A device's is made by its enrolment; nothing is published to a cloud. */
  role: role.exclude(['device', 'publisher']),
  /** The one stream that a viewer's token is good for; any when absent. */
  stream: name.optional(),
  /** Days; absent: until it is revoked. */
  expiresInDays: z.number().int().min(1).max(3660).optional(),
})
export const cloudToken = z.object({
  id: z.string(),
  name,
  role,
  stream: name.optional(),
  agent: name.optional(),
  createdAt: ms,
  expiresAt: ms.optional(),
})
export type CloudToken = z.infer<typeof cloudToken>
/** The only answer that ever holds the token itself. */
export const cloudTokenCreated = cloudToken.extend({ token: z.string() })
export const cloudTokensPage = z.object({ tokens: z.array(cloudToken) })
