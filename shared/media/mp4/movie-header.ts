import type { CodecConfig, VideoConfig } from '../access-unit.ts'
import { box, fullBox, type Part, text, time, u16, u32, u32Max } from './box.ts'
import { dataInformation, handler, mediaHeader } from './entry.ts'
import { movieTimescale } from './timing.ts'

const epoch1904S = 2_082_844_800 // Seconds from 1904 to 1970.
const undefinedLanguage = 0x55c4 // "und", three letters of 5 bits.
const identity = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000]

/** Milliseconds in the movie's time; `mediaUnits` −1 is an empty edit. */
export type Edit = { durationMs: number; mediaUnits: number }

/** Seconds since 1904 of a wall time in ms. */
export function movieSeconds(wallMs: number): number {
  return Math.max(0, Math.floor(wallMs / 1000) + epoch1904S)
}

export function fileType(brands: readonly string[]): Uint8Array[] {
  return box('ftyp', text('isom'), u32(0x200), ...brands.map(text))
}

export function movieHeader(options: { createdS: number; durationMs: number; tracks: number }): Uint8Array[] {
  const { createdS, durationMs, tracks } = options
  const v = Math.max(createdS, durationMs) > u32Max ? 1 : 0
  return fullBox(
    'mvhd',
    v,
    0,
    time(v, createdS, createdS),
    u32(movieTimescale),
    time(v, durationMs),
    u32(0x10000),
    u16(0x100, 0),
    u32(0, 0),
    u32(...identity),
    new Uint8Array(24),
    u32(tracks + 1),
  )
}

/** A `trak` box around what the two forms fill differently: the tables and the edits. */
export function trackBox(options: {
  config: CodecConfig
  id: number
  createdS: number
  durationMs: number
  timescale: number
  mediaUnits: number
  edits: readonly Edit[]
  tables: Part
}): Uint8Array[] {
  const { config, createdS, mediaUnits } = options
  const v = Math.max(createdS, mediaUnits) > u32Max ? 1 : 0
  const media = fullBox(
    'mdhd',
    v,
    0,
    time(v, createdS, createdS),
    u32(options.timescale),
    time(v, mediaUnits),
    u16(undefinedLanguage, 0),
  )
  return box(
    'trak',
    trackHeader(options),
    options.edits.length === 0 ? [] : box('edts', editList(options.edits)),
    box(
      'mdia',
      media,
      handler(config),
      box('minf', mediaHeader(config), dataInformation(), box('stbl', options.tables)),
    ),
  )
}

function trackHeader(options: {
  config: CodecConfig
  id: number
  createdS: number
  durationMs: number
}): Uint8Array[] {
  const { config, id, createdS, durationMs } = options
  const v = Math.max(createdS, durationMs) > u32Max ? 1 : 0
  const isVideo = config.track === 'video'
  return fullBox(
    'tkhd',
    v,
    3, // Enabled, in the movie.
    time(v, createdS, createdS),
    u32(id, 0),
    time(v, durationMs),
    u32(0, 0),
    u16(0, 0, isVideo ? 0 : 0x100, 0),
    u32(...(isVideo ? rotationMatrix(config) : identity)),
    isVideo ? u32(config.width * 65536, config.height * 65536) : u32(0, 0),
  )
}

/** Turns the picture clockwise and moves it back into the first quadrant; width and height stay as coded. */
function rotationMatrix({ rotation, width, height }: VideoConfig): number[] {
  const one = 0x10000
  const w = 0x40000000
  if (rotation === 90) return [0, one, 0, -one, 0, 0, height * one, 0, w]
  if (rotation === 180) return [-one, 0, 0, 0, -one, 0, width * one, height * one, w]
  if (rotation === 270) return [0, -one, 0, one, 0, 0, 0, width * one, w]
  return identity
}

function editList(edits: readonly Edit[]): Uint8Array[] {
  const v = edits.some((edit) => edit.durationMs > u32Max || edit.mediaUnits >= 2 ** 31) ? 1 : 0
  const rate = u16(1, 0)
  const entries = edits.map((edit): Part => [time(v, edit.durationMs), time(v, edit.mediaUnits), rate])
  return fullBox('elst', v, 0, u32(edits.length), entries)
}
