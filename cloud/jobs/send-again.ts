import { requeueAfterMs, sendAgainMax } from '../../shared/cloud-limits.ts'
import { keys } from '../../shared/contract/segment.ts'
import { jobLeaseMs } from '../../shared/limits.ts'
import type { Row } from '../ports.ts'
import { changeRow } from '../rows/change-row.ts'
import { jobState } from '../rows/job-state.ts'
import { timeKey, work } from '../rows/keys.ts'
import { segmentRow } from '../rows/segment.ts'
import { taskRow } from '../rows/task.ts'
import type { JobPorts } from './job-ports.ts'
import { sendBeatsync, sendExport, sendThumbnail, thumbnailMessage } from './messages.ts'
import { rawCreatedEvent } from './raw-event.ts'

const pageRows = 100

/**
 * Sends for unfinished work again that nobody holds and whose row nobody has touched for a quarter of an hour: its
 * message was lost between the row and the queue. The row is touched first, so work is sent for at most once in that
 * time, however many run this; a message that was not lost after all finds the job held or done. Answers how many.
 */
export async function sendAgain(ports: JobPorts, signal: AbortSignal): Promise<number> {
  const { catalogue, clock } = ports
  const to = timeKey(clock.nowMs() - requeueAfterMs)
  let sent = 0
  let cursor: string | undefined
  do {
    const page = await catalogue.query({
      ...{ index: 'gsi2', pk: work.open, to, limit: pageRows },
      ...(cursor !== undefined && { cursor }),
    })
    for (const row of page.rows) {
      signal.throwIfAborted()
      if (!isForgotten(row, clock.nowMs()) || !(await touch(row, ports))) continue
      await send(row, ports)
      sent += 1
      if (sent === sendAgainMax) return sent
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return sent
}

/** A lease that ends later than any can was written by a clock that has been set back since. */
function isForgotten(row: Row, nowMs: number): boolean {
  const { success, data } = jobState.safeParse(row)
  if (!success || (data.status !== 'PENDING' && data.status !== 'PROCESSING')) return false
  const isHeld = data.leaseUntil > nowMs && data.leaseUntil <= nowMs + jobLeaseMs
  return !isHeld && Math.abs(nowMs - data.updatedAt) >= requeueAfterMs
}

/** False when somebody else was sooner. The index may be behind: the row itself decides. */
async function touch({ pk, sk }: Row, { catalogue, clock }: JobPorts): Promise<boolean> {
  let isMine = false
  await changeRow(catalogue, { pk, sk }, (row) => {
    isMine = row !== undefined && isForgotten(row, clock.nowMs())
    return isMine && row ? { ...row, updatedAt: clock.nowMs() } : undefined
  })
  return isMine
}

async function send(row: Row, { queue }: JobPorts): Promise<void> {
  const task = taskRow.safeParse(row).data
  if (task?.kind === 'export') return await sendExport(queue, { kind: 'run', task: task.id })
  if (task?.kind === 'beatsync') return await sendBeatsync(queue, task.id)
  const segment = segmentRow.safeParse(row).data
  if (segment) return await queue.send('mux', rawCreatedEvent(keys.raw(segment, 'json'), 0))
  const thumbnail = thumbnailMessage.safeParse(row.asked).data
  if (thumbnail) await sendThumbnail(queue, thumbnail)
}
