import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import { damagedRecordsMax, segmentGapsMax } from '../../shared/limits.ts'
import type { ParsedIndex } from '../../shared/media/index.ts'
import { JobError } from './reason.ts'

/** Damaged records as gaps in the agent's wall time: from the last whole unit of their track to the next. */
export function damageGaps(of: Manifest, { records }: ParsedIndex, damaged: ReadonlySet<number>): Gap[] {
  const offsetMs = Math.round(of.wallOffsetMs)
  const gaps: Gap[] = []
  for (const isVideo of [true, false]) {
    let lastMs = of.from - offsetMs
    let open: { fromMs: number; units: number } | undefined
    for (let i = 0; i < records.length; i += 1) {
      if (!records.isUnit(i) || records.isVideo(i) !== isVideo) continue
      if (damaged.has(i)) {
        open ??= { fromMs: lastMs, units: 0 }
        open.units += 1
        continue
      }
      lastMs = Math.max(lastMs, records.ptsMs(i))
      if (open) gaps.push(toGap(open, records.ptsMs(i), offsetMs))
      open = undefined
    }
    if (open) gaps.push(toGap(open, of.to - offsetMs, offsetMs))
  }
  return gaps.slice(0, segmentGapsMax)
}

function toGap(open: { fromMs: number; units: number }, toMs: number, offsetMs: number): Gap {
  const from = open.fromMs + offsetMs
  return { from, to: Math.max(from, toMs + offsetMs), cause: 'damaged', units: open.units }
}

/** More than can be told apart in the row: the file as a whole is not to be trusted. */
export function checkDamage(damaged: ReadonlySet<number>): void {
  if (damaged.size <= damagedRecordsMax) return
  throw new JobError('DataLoss', 'INVALID_FORMAT', `${damaged.size} units do not match their checksums.`)
}
