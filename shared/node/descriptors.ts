import { z } from 'zod'
import { descriptorsKept } from '../limits.ts'

const limits = z.object({ userLimits: z.object({ open_files: z.object({ soft: z.number() }) }) })

/**
 * How many connections a port takes: `most`, but no more than its share of the file descriptors that this process may
 * have. Some are always left for the files that are recorded into: without, a crowd at a port would end recordings
 * (RELIABILITY.md A13).
 */
export function connectionsWithin(most: number, share: number): number {
  const files = openFilesMax()
  return files === undefined
    ? most
    : Math.max(1, Math.min(most, Math.floor((files - descriptorsKept) * share)))
}

/** Undefined where there is no limit, or none that is known. */
function openFilesMax(): number | undefined {
  const report = Object.assign(process.report, { excludeNetwork: true }) // Or it looks up the names of all peers.
  return limits.safeParse(report.getReport()).data?.userLimits.open_files.soft
}
