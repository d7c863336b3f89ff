import type { Gap } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Ring } from '../ring/types.ts'
import type { ClaimRecorder } from './claim-close.ts'

export type Reaching = {
  ring: Pick<Ring, 'segments' | 'gaps'>
  recorder: Pick<ClaimRecorder, 'openSince'>
  clock: Clock
}

/** Wall ms; `to` absent: goes on. */
type Range = { from: number; to: number | undefined }

/**
 * What the ring no longer holds of a claim on the past, by stream: from the time that was asked for to the first
 * picture that is there. FailedPrecondition when nothing of a stream is held: it says what is.
 */
export async function missingOf(
  streams: readonly string[],
  range: Range,
  reaching: Reaching,
): Promise<Record<string, Gap>> {
  const nowMs = reaching.clock.nowMs()
  if (range.from >= nowMs) return {}
  const end = Math.min(range.to ?? nowMs, nowMs)
  const missing: Record<string, Gap> = {}
  for (const stream of streams) {
    const heldFrom = await beginOf(stream, range.from, end, reaching)
    if (heldFrom === undefined) throw await unreached(stream, reaching)
    const gap: Gap = { from: range.from, to: heldFrom, cause: 'recycled' }
    if (heldFrom > range.from && !(await isExplained(stream, gap, reaching))) missing[stream] = gap
  }
  return missing
}

async function beginOf(
  stream: string,
  from: number,
  end: number,
  { ring, recorder }: Reaching,
): Promise<number | undefined> {
  const [first] = await ring.segments({ stream, from, to: end })
  if (first) return first.from
  const openSince = recorder.openSince(stream)
  return openSince !== undefined && openSince < end ? openSince : undefined
}

/** The source was away, or the disk refused: that is why nothing is there. */
async function isExplained(stream: string, gap: Gap, { ring }: Reaching): Promise<boolean> {
  const known = await ring.gaps({ stream, from: gap.from, to: gap.to })
  return known.some(({ from, to }) => from <= gap.from && to >= gap.to)
}

async function unreached(stream: string, { ring, recorder }: Reaching): Promise<AppError> {
  const rows = await ring.segments({ stream })
  const openSince = recorder.openSince(stream)
  const from = rows[0]?.from ?? openSince
  const to = openSince === undefined ? rows.at(-1)?.to : undefined
  const [en, zh] = held(from, to)
  return new AppError('FailedPrecondition', `${stream} cannot be recorded from then: ${en}.`, {
    zh: `无法从该时间录制 ${stream}：${zh}。`,
  })
}

function held(from: number | undefined, to: number | undefined): [en: string, zh: string] {
  if (from === undefined) return ['nothing of it is kept here', '此处没有任何画面']
  const since = new Date(from).toISOString()
  if (to === undefined) return [`what is held begins at ${since}`, `现有画面始于 ${since}`]
  const until = new Date(to).toISOString()
  const range = `${since} to ${until}`
  return [
    `what is held is of ${range}; its last picture here is of ${until}`,
    `现有画面为 ${since} 至 ${until}；最后一帧的时间为 ${until}`,
  ]
}
