import { z } from 'zod'
import { gap, name } from './segment.ts'

const ms = z.number().int()

/** A recording: a named claim on a range of one or more streams (DESIGN.md, Ring and recordings). */
export const recording = z.looseObject({
  version: z.literal(1),
  id: name,
  agent: name,
  /** 1 when opened; each durable change is a new revision, the last one closed. */
  rev: z.number().int().min(1),
  state: z.enum(['armed', 'open', 'closed']),
  title: z.string().max(200).optional(),
  labels: z.array(z.string().max(64)).max(32),
  createdAt: ms,
  /** Agent's wall time. `to` is null while the recording is open. */
  from: ms,
  to: ms.nullable(),
  streams: z
    .array(
      z.object({
        name,
        from: ms,
        to: ms.nullable(),
        /** Exact when closed: every segment that overlaps [from, to). */
        segments: z.array(z.object({ epoch: z.number().int(), seq: z.number().int() })),
        gaps: z.array(gap).max(10_000),
        /** The seed's frame-rate estimate; reported, never used for times. */
        fps: z.object({ value: z.number(), source: z.enum(['arrival', 'device', 'default']) }).optional(),
      }),
    )
    .min(1)
    .max(64),
})
export type Recording = z.infer<typeof recording>
export type RecordingStream = Recording['streams'][number]
