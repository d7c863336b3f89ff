import { z } from 'zod'
import { uploadBatchMax } from '../limits.ts'
import { reportedConfig, versionedConfig } from './agents-api.ts'
import { name, segmentFiles } from './segment.ts'

/** Bodies of the cloud API's part for agents (CONTRACT.md, Cloud API, "For agents"). The agent is the token's. */

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const number = z.number().int().min(0)

const file = z.strictObject({ ext: z.enum(segmentFiles), sizeBytes: number, sha256 })

const segmentKey = z.object({ stream: name, epoch: number, seq: number })
const segment = segmentKey.extend({
  files: z.array(file).min(1).max(8),
  /** Confirmed before, and claimed anew since: had the cloud deleted it, it is to come once more. */
  again: z.literal(true).optional(),
})
export type SegmentToUpload = z.infer<typeof segment>

const batch = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(uploadBatchMax)

/** Where one file goes: PUT it with exactly these headers until `expiresAt` (the cloud's clock). */
const target = z.object({
  key: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  expiresAt: z.number(),
})
export type UploadTarget = z.infer<typeof target>

export const segmentsRequest = z.object({ segments: batch(segment) })
export const segmentsResponse = z.object({
  segments: z.array(segmentKey.extend({ files: z.array(target.extend({ ext: z.enum(segmentFiles) })) })),
})

/** `missing`: some file is not there; `stored`: all are, with my checksums; `mismatch`: another body has the key. */
export const uploadStatuses = ['missing', 'stored', 'mismatch', 'muxed', 'quarantined'] as const
export type UploadStatus = (typeof uploadStatuses)[number]

export const statusRequest = z.object({ segments: batch(segment) })
export const statusResponse = z.object({
  segments: z.array(
    segmentKey.extend({
      status: z.enum(uploadStatuses),
      /** Of `missing`: which files are there already. */
      stored: z.array(z.enum(segmentFiles)),
    }),
  ),
})

const recordingRevision = z.object({ id: name, rev: z.number().int().min(1), sizeBytes: number, sha256 })

/** Asked again after the PUT, it answers `stored`: the agent's confirmation. */
export const recordingsRequest = z.object({ recordings: batch(recordingRevision) })
export const recordingsResponse = z.object({
  recordings: z.array(
    z.object({
      id: name,
      rev: z.number().int(),
      status: z.enum(['missing', 'stored', 'mismatch']),
      target: target.optional(),
    }),
  ),
})

export const heartbeatRequest = z.object({
  version: z.string().max(64),
  /** Of the agent: streams, disk, upload. Kept as it is, at most 64 kB. */
  state: z.record(z.string(), z.unknown()),
  /** The cloud's clock minus the agent's, from the round trip of the last heartbeat. */
  clock: z.object({ offsetMs: z.number(), boundMs: z.number().min(0) }).optional(),
  /** What became of the configuration that was wanted last. */
  config: reportedConfig.optional(),
})
export type Heartbeat = z.infer<typeof heartbeatRequest>
export const heartbeatResponse = z.object({
  nowMs: z.number(),
  /** Wanted by the cloud; absent while nobody has set anything. An older agent passes over what it does not know. */
  config: versionedConfig.optional(),
})
