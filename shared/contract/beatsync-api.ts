import { z } from 'zod'
import { uploadBytesMax } from '../cloud-limits.ts'
import { extensionOf, soundExtensions, videoExtensions } from './beatsync-names.ts'
import { name } from './segment.ts'

/** Bodies of the cloud API's part for people's own files (CONTRACT.md, Cloud API, BeatSync result). */

const extensions: readonly string[] = [...videoExtensions, ...soundExtensions]

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

export const uploadRequest = z.strictObject({
  /** As the person's machine calls it; its extension says what it is. */
  name: z
    .string()
    .min(1)
    .max(255)
    .refine(
      (text) => extensions.includes(extensionOf(text)),
      `it must end in one of ${extensions.join(' ')}`,
    ),
  sizeBytes: z.number().int().min(1).max(uploadBytesMax),
  sha256: sha256.optional(),
  contentType: z
    .string()
    .max(100)
    .regex(
      /^(video|audio)\/[A-Za-z0-9.+-]+$|^application\/(ogg|mp4|octet-stream|x-matroska)$/,
      'it must be a type of video or audio',
    ),
  method: z.enum(['PUT', 'POST']).optional(),
})
export type UploadRequest = z.infer<typeof uploadRequest>

/** PUT the file to `url` with exactly these headers, or POST it as `file` behind these fields. */
export const uploadCreated = z.object({
  id: name,
  url: z.string(),
  headers: z.record(z.string(), z.string()).optional(),
  fields: z.record(z.string(), z.string()).optional(),
  /** Until when `url` takes the file. */
  expiresAt: z.number(),
})
export type UploadCreated = z.infer<typeof uploadCreated>

export const beatsyncVariants = ['modular', 'v2'] as const
export type BeatsyncVariant = (typeof beatsyncVariants)[number]

export const taskRequest = z.strictObject({
  kind: z.literal('beatsync'),
  /** Ids of uploads. */
  dance: name,
  bgm: name,
  variants: z
    .array(z.enum(beatsyncVariants))
    .min(1)
    .max(2)
    .refine((all) => new Set(all).size === all.length, 'no variant twice')
    .optional(),
  /** Pictures are encoded again where the cut lies between key frames; else an edit list hides those before it. */
  exact: z.boolean().optional(),
  priority: z.enum(['high', 'normal', 'low']).optional(),
})
export type TaskRequest = z.infer<typeof taskRequest>

const range = z.object({ fromMs: z.number(), toMs: z.number() })

export const beatsyncResult = z.object({
  variants: z.partialRecord(
    z.enum(beatsyncVariants),
    z.object({
      /** The time in the dance video at which the BGM's t = 0 falls. */
      offsetMs: z.number(),
      score: z.number(),
      /** BGM time = (dance time − offset) · (1 + driftPpm · 10⁻⁶); corrected in the file. */
      driftPpm: z.number(),
      /** Of the dance video's time. */
      cut: range,
      /** Where pictures and BGM meet, before silent ends were cut. */
      overlap: range,
      sizeBytes: z.number().int(),
      sha256,
      download: z.string(),
    }),
  ),
  cached: z.boolean(),
  /** When the files are deleted. */
  expiresAt: z.number(),
})
export type BeatsyncResult = z.infer<typeof beatsyncResult>

/** Of a refusal: `detail` is `not_same_song` or `unsure`. */
export const beatsyncRefusal = z.object({
  candidates: z.array(z.object({ offsetMs: z.number(), score: z.number() })).max(2),
})
export type BeatsyncRefusal = z.infer<typeof beatsyncRefusal>

export const variantQuery = z.strictObject({ variant: z.enum(beatsyncVariants).optional() })
