import { AppError } from '../error.ts'
import { reorderDepthMax } from '../limits.ts'
import type { VideoConfig } from './access-unit.ts'
import { type H264Sps, parseH264Sps } from './h264-sps.ts'
import { type H265Profile, h265Profile, parseH265Sps } from './h265-sps.ts'

/** What `read` gives, or undefined when it refuses the bytes. */
export function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof AppError) return undefined
    throw error
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0')
}

// MaxDpbMbs by level_idc (H.264 Table A-1); 9 is level 1b.
const dpbMbs: ReadonlyMap<number, number> = new Map([
  [9, 396],
  [10, 396],
  [11, 900],
  [12, 2376],
  [13, 2376],
  [20, 2376],
  [21, 4752],
  [22, 8100],
  [30, 8100],
  [31, 18000],
  [32, 20480],
  [40, 32768],
  [41, 32768],
  [42, 34816],
  [50, 110400],
  [51, 184320],
  [52, 184320],
  [60, 696320],
  [61, 696320],
  [62, 696320],
])
const profilesWithoutB: ReadonlySet<number> = new Set([66]) // Baseline has no B slices (A.2.1).
const intraProfiles: ReadonlySet<number> = new Set([44, 86, 100, 110, 122, 244]) // with constraint_set3_flag
const constraintSet3 = 0x10

/** What the SPS declares, else what E.2.1 says to infer: the decoded picture buffer of the level. */
export function h264ReorderDepth(sps: H264Sps): number {
  if (sps.pictureOrder.type === 2 || profilesWithoutB.has(sps.profile)) return 0
  if (sps.maxNumReorderFrames !== undefined) return sps.maxNumReorderFrames
  const set3 = (sps.constraints & constraintSet3) !== 0
  if (set3 && intraProfiles.has(sps.profile)) return 0
  const level1b = set3 && sps.level === 11
  const buffer = dpbMbs.get(level1b ? 9 : sps.level)
  if (buffer === undefined) return reorderDepthMax
  return Math.min(reorderDepthMax, Math.floor(buffer / (sps.widthMbs * sps.heightMbs)))
}

/** RFC 6381 and ISO/IEC 14496-15 E.3: profile, reversed compatibility flags, tier and level, constraints. */
function h265CodecString(general: H265Profile): string {
  let compatibility = 0
  for (let bit = 0; bit < 32; bit++) {
    compatibility += ((general.compatibility >>> bit) & 1) * 2 ** (31 - bit)
  }
  let used = general.constraints.length
  while (used > 0 && general.constraints[used - 1] === 0) used -= 1
  const bytes = Array.from(general.constraints.subarray(0, used), (byte) => `.${byte.toString(16)}`)
  const space = ['', 'A', 'B', 'C'][general.space] ?? ''
  const tier = general.highTier ? 'H' : 'L'
  const fields = `${space}${general.profile}.${compatibility.toString(16)}.${tier}${general.level}${bytes.join('')}`
  return `hvc1.${fields.toUpperCase()}`
}

/** What an SPS tells of a stream. */
export type VideoShape = Pick<VideoConfig, 'width' | 'height' | 'codecString' | 'reorderDepth'>

/** Width and height 0 when the SPS cannot be read. */
export function h264Shape(nal: Uint8Array): VideoShape {
  const [, profile = 0, constraints = 0, level = 0] = nal
  const codecString = `avc1.${hex(profile)}${hex(constraints)}${hex(level)}`
  const sps = readable(() => parseH264Sps(nal))
  if (!sps) return { width: 0, height: 0, codecString, reorderDepth: 0 }
  return { width: sps.width, height: sps.height, codecString, reorderDepth: h264ReorderDepth(sps) }
}

/** Width and height 0 when the SPS cannot be read. */
export function h265Shape(nal: Uint8Array): VideoShape {
  const sps = readable(() => parseH265Sps(nal))
  const general = sps?.general ?? readable(() => h265Profile(nal))
  const codecString = general ? h265CodecString(general) : 'hvc1'
  if (!sps) return { width: 0, height: 0, codecString, reorderDepth: 0 }
  return { width: sps.width, height: sps.height, codecString, reorderDepth: sps.maxNumReorderPics }
}
