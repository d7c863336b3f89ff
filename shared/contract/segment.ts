import { z } from 'zod'
import { gapCauses } from '../media/access-unit.ts'

/** Names of streams, agents and recordings (DESIGN.md, Words). */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const windowsDevice = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i

export function isName(text: string): boolean {
  return namePattern.test(text) && !text.endsWith('.') && !windowsDevice.test(text)
}

export const name = z
  .string()
  .refine(
    isName,
    'a name is 1 to 64 of A-Z a-z 0-9 . _ -, begins with a letter or digit, does not end with a dot',
  )

const ms = z.number().int().min(-8.64e15).max(8.64e15)
const bytes = z.number().int().min(0)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** A range with no pictures. Times are wall milliseconds since the Unix epoch. */
export const gap = z.object({
  from: ms,
  to: ms,
  cause: z.enum(gapCauses),
  units: z.number().int().min(0).optional(),
})
export type Gap = z.infer<typeof gap>

const file = z.object({ sizeBytes: bytes, sha256 })

/**
 * The manifest of a sealed segment, `<epoch>-<seq>.json`: the commit mark on the disk and in the store.
 * Unknown keys are kept by readers (forward tolerance); `version` changes only when old readers must stop.
 */
export const manifest = z.looseObject({
  version: z.literal(1),
  agent: name,
  stream: name,
  /** Grows with each run of one source clock; unique per stream for ever. */
  epoch: z.number().int().min(0),
  seq: z.number().int().min(0),
  /** First shown picture and end of the last one, agent's wall time: timeline + wallOffsetMs. */
  from: ms,
  to: ms,
  wallOffsetMs: z.number(),
  wallBoundMs: z.number().min(0),
  timeSource: z.enum(['device', 'arrival']),
  video: z
    .object({
      codec: z.enum(['h264', 'h265']),
      codecString: z.string().max(64),
      width: z.number().int().min(0).max(65535),
      height: z.number().int().min(0).max(65535),
      rotation: z.union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)]),
      /** avcC or hvcC, hex. */
      configHex: z.string().regex(/^([0-9a-f]{2})*$/),
      units: z.number().int().min(0),
      /** Copies from the GOP cache at the head of the file, not counted in `units`. */
      duplicates: z.number().int().min(0),
      /** Of `units`, how many were received damaged and kept; their index records are flagged. */
      damaged: z.number().int().min(0).optional(),
      file,
    })
    .optional(),
  audio: z
    .object({
      codec: z.string().max(16),
      codecString: z.string().max(64),
      sampleRate: z.number().int().min(1),
      channels: z.number().int().min(1).max(16),
      /** AudioSpecificConfig, hex; empty for codecs that need none. */
      configHex: z.string().regex(/^([0-9a-f]{2})*$/),
      units: z.number().int().min(0),
      file,
    })
    .optional(),
  index: file.extend({ records: z.number().int().min(0) }),
  /** The segment begins in mid-GOP: it can only be decoded after the one before it. */
  continues: z.boolean(),
  /** The stream uploads everything: no deletion of a recording takes this segment away, only retention. */
  kept: z.literal('always').optional(),
  gapBefore: gap.optional(),
  /** Gaps inside of the segment (missing sequence numbers and the like). */
  gaps: z.array(gap).max(1000),
})
export type Manifest = z.infer<typeof manifest>

export type SegmentId = { agent: string; stream: string; epoch: number; seq: number }
/** Raw files of a segment, by the extension, which for media is the codec. */
export const soundFiles = ['aac', 'g711a', 'g711u', 'g726', 'adpcm', 'opus', 'mp3'] as const
export const segmentFiles = ['h264', 'h265', ...soundFiles, 'idx', 'json'] as const
export type SegmentFile = (typeof segmentFiles)[number]

/** `1763616224000-000001`: sorts by bytes as by time. */
export function segmentName(id: { epoch: number; seq: number }): string {
  return `${String(id.epoch).padStart(13, '0')}-${String(id.seq).padStart(6, '0')}`
}

export function parseSegmentName(text: string): { epoch: number; seq: number } | undefined {
  const match = /^(\d{13,15})-(\d{6,9})$/.exec(text)
  if (!match) return undefined
  return { epoch: Number(match[1]), seq: Number(match[2]) }
}

/** Object keys (DESIGN.md, Upload). `raw/` is written by agents, all else by jobs. */
export const keys = {
  raw: (id: SegmentId, ext: SegmentFile) => `raw/${id.agent}/${id.stream}/${segmentName(id)}.${ext}`,
  recording: (agent: string, id: string, rev: number) => `raw/${agent}/recordings/${id}/${rev}.json`,
  media: (id: SegmentId) => `media/${id.agent}/${id.stream}/${segmentName(id)}.mp4`,
  /** Which records the mux left out, when there are any: the catalogue can be made again without their pictures. */
  damage: (id: SegmentId) => `media/${id.agent}/${id.stream}/${segmentName(id)}.damage.json`,
  thumbnail: (id: SegmentId) => `media/${id.agent}/${id.stream}/${segmentName(id)}.jpg`,
  exportPart: (recording: string, version: number, stream: string, part: number) =>
    `exports/${recording}/v${version}/${stream}-${part}.mp4`,
  timestamps: (recording: string, version: number, stream: string) =>
    `exports/${recording}/v${version}/${stream}.csv`,
  /** Written last: what the export of this version consists of. */
  exportManifest: (recording: string, version: number) => `exports/${recording}/v${version}/manifest.json`,
  /** A recording that no agent made: a range of what was uploaded anyway. */
  rangeRecording: (recording: string) => `exports/${recording}/recording.json`,
  /** It is there while the recording is on hold. */
  hold: (recording: string) => `exports/${recording}/hold.json`,
}
