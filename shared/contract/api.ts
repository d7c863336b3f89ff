import { z } from 'zod'
import { gap, isName, name } from './segment.ts'
import { task, taskStatuses } from './task.ts'

/** Bodies of the cloud API (CONTRACT.md, Cloud API). Times in answers are integer ms since the Unix epoch. */

const ms = z.number().int()
const cursor = z.string().max(2048)

/** A time in a question: integer ms since the Unix epoch or ISO 8601 with an offset. */
export const time = z
  .union([
    z.number().int(),
    z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number),
    z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  ])
  .meta({ description: 'ISO 8601 with offset, or integer ms since the Unix epoch' })

export const errorBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    messageZh: z.string().optional(),
    requestId: z.string(),
  }),
})
export type ErrorBody = z.infer<typeof errorBody>

const exportFile = z.object({
  part: z.number().int().min(0),
  from: ms,
  to: ms,
  codec: z.string(),
  width: z.number().int(),
  height: z.number().int(),
  mp4Bytes: z.number().int(),
  sha256: z.string(),
  /** The sound of this file is not AAC, or not there, and why. */
  soundNote: z.string().optional(),
})
export type ExportFile = z.infer<typeof exportFile>

const recordingStreamBody = z.object({
  name,
  from: ms,
  to: ms.nullable(),
  units: z.number().int(),
  /** Of `units`, pictures that came damaged and were kept; absent: none. The CSV says which. */
  damaged: z.number().int().optional(),
  gaps: z.array(gap),
  segments: z.array(z.object({ epoch: z.number().int(), seq: z.number().int(), state: z.string() })),
  clock: z
    .object({ offsetMs: z.number(), boundMs: z.number(), source: z.enum(['device', 'arrival']) })
    .optional(),
  export: z.object({ task: z.string().optional(), files: z.array(exportFile) }),
})

/** `armed` and `open` are the agent's; a closed recording is `processing` until its files are there. */
export const recordingStates = ['armed', 'open', 'processing', 'ready', 'failed'] as const

const recordingHead = z.object({
  id: name,
  agent: name,
  title: z.string().optional(),
  labels: z.array(z.string()),
  from: ms,
  to: ms.nullable(),
  createdAt: ms,
  hold: z.boolean(),
  state: z.enum(recordingStates),
  /** In all streams, as far as they are known. */
  gapCount: z.number().int().min(0),
})

export const recordingItem = recordingHead.extend({ streams: z.array(name) })
export type RecordingItem = z.infer<typeof recordingItem>
export const recordingDetail = recordingHead.extend({ streams: z.array(recordingStreamBody) })
export type RecordingDetail = z.infer<typeof recordingDetail>

export const recordingsQuery = z.strictObject({
  stream: name.optional(),
  from: time.optional(),
  to: time.optional(),
  /** Part of the title, case ignored. */
  title: z.string().max(200).optional(),
  label: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(100).optional(),
  cursor: cursor.optional(),
})
export const recordingsPage = z.object({ recordings: z.array(recordingItem), cursor: cursor.optional() })

export const downloadQuery = z.strictObject({
  stream: name.optional(),
  part: z.coerce.number().int().min(0).max(10_000).optional(),
  format: z.enum(['mp4', 'h264']).optional(),
})
export const streamQuery = z.strictObject({ stream: name.optional() })

export const shareRequest = z.strictObject({ expiresInS: z.number().int().min(60).optional() })
export const shareCreated = z.object({ id: z.string(), url: z.string(), expiresAt: ms })
/** Of a recording: those that still open it. Their addresses are not stored. */
export const sharesPage = z.object({
  shares: z.array(z.object({ id: z.string(), createdAt: ms, createdBy: z.string(), expiresAt: ms })),
})
export const sharePath = z.object({ secret: z.string().regex(/^[A-Za-z0-9._-]{20,200}$/) })
export const sharedRecording = recordingHead
  .omit({ agent: true, labels: true, hold: true, gapCount: true })
  .extend({
    streams: z.array(
      z.object({
        name,
        playlist: z.string(),
        files: z.array(exportFile.omit({ sha256: true }).extend({ download: z.string() })),
      }),
    ),
  })
export type SharedRecording = z.infer<typeof sharedRecording>

export const holdRequest = z.strictObject({ hold: z.boolean() })

export const segmentsQuery = z.strictObject({
  agent: name.optional(),
  stream: name,
  from: time,
  to: time,
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  cursor: cursor.optional(),
})
export const segmentItem = z.object({
  agent: name,
  stream: name,
  epoch: z.number().int(),
  seq: z.number().int(),
  from: ms,
  to: ms,
  units: z.number().int(),
  state: z.string(),
  mp4Bytes: z.number().int().optional(),
})
export type SegmentItem = z.infer<typeof segmentItem>
export const segmentsPage = z.object({ segments: z.array(segmentItem), cursor: cursor.optional() })

export const gapItem = gap.extend({ agent: name, stream: name })
export const gapsPage = z.object({ gaps: z.array(gapItem), cursor: cursor.optional() })

/** HLS of a range; `agent` when several have a stream of this name. */
export const rangePlaylistQuery = z.strictObject({
  agent: name.optional(),
  stream: name,
  from: time,
  to: time,
})

export const auditPage = z.object({
  entries: z.array(z.object({ at: ms, who: z.string(), what: z.string() })),
  cursor: cursor.optional(),
})
export const cursorQuery = z.strictObject({ cursor: cursor.optional() })

/** One step of `cloud rebuild`: what was made again, and where to go on. */
export const rebuildRequest = z.strictObject({ cursor: cursor.optional() })
export const rebuildStepBody = z.object({
  segments: z.number().int(),
  muxing: z.number().int(),
  recordings: z.number().int(),
  exports: z.number().int(),
  failed: z.array(z.object({ key: z.string(), error: z.string() })),
  cursor: cursor.optional(),
})
export type RebuildStep = z.infer<typeof rebuildStepBody>

export const exportRequest = z.strictObject({
  agent: name.optional(),
  streams: z.array(name).min(1).max(64),
  from: time,
  to: time,
  title: z.string().max(200).optional(),
})

export const taskBody = task
export const tasksQuery = z.strictObject({
  kind: task.shape.kind.optional(),
  status: z.enum(taskStatuses).optional(),
  limit: z.coerce.number().int().min(1).max(100).optional(),
  cursor: cursor.optional(),
})
export const tasksPage = z.object({ tasks: z.array(task), cursor: cursor.optional() })

export const health = z.object({
  status: z.enum(['ok', 'degraded']),
  queues: z.record(z.string(), z.object({ waiting: z.number(), inFlight: z.number(), dead: z.number() })),
  /** Whether each answers; a queue that does not is missing above. */
  answers: z.object({ queues: z.boolean(), database: z.boolean(), store: z.boolean() }),
  /** Of the machine that holds the archive; absent where there is no such machine. */
  disk: z.object({ freeBytes: z.number(), totalBytes: z.number(), low: z.boolean() }).optional(),
  /** Whether it was found: without it there are no thumbnails and no sound for browsers. */
  ffmpeg: z.boolean().optional(),
})
export type Health = z.infer<typeof health>

/** A message whose work has failed for ever, until someone redrives it. */
const deadLetter = z.object({ queue: z.string(), id: z.string(), body: z.string() })
export const deadLettersPage = z.object({ deadLetters: z.array(deadLetter) })
export type DeadLettersPage = z.infer<typeof deadLettersPage>
export const deadLetterPath = z.object({
  queue: z.enum(['mux', 'thumbnail', 'export', 'beatsync']),
  id: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
})

export const idPath = z.object({
  id: z.string().refine(isName, 'an id is 1 to 64 of A-Z a-z 0-9 . _ -'),
})
export const empty = z.object({})
