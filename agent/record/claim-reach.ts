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
 * What the ring does not hold of a claim on the past, by stream: from the time that was asked for to the first
 * picture that is there; `recycled` if it once held some of it, else the source had not come yet.
 * FailedPrecondition when nothing of a stream is held: it says what is.
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
    const gap = heldFrom > range.from ? await gapOf(stream, range.from, heldFrom, reaching) : undefined
    if (gap) missing[stream] = gap
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

/** Undefined when what the ring knows explains all of it: the source was away, or the disk refused. */
async function gapOf(stream: string, from: number, to: number, { ring }: Reaching): Promise<Gap | undefined> {
  const known = await ring.gaps({ stream, from, to })
  if (known.some((gap) => gap.from <= from && gap.to >= to)) return undefined
  const wasHeld = known.some(({ cause }) => cause === 'recycled')
  return { from, to, cause: wasHeld ? 'recycled' : 'source-lost' }
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
