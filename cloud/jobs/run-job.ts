import { AppError } from '../../shared/error.ts'
import { jobAttemptsMax, jobHeartbeatMs, jobLeaseMs, jobProgressEveryMs } from '../../shared/limits.ts'
import type { Row } from '../ports.ts'
import { changeRow } from '../rows/change-row.ts'
import { type JobState, jobState, withWorkKeys } from '../rows/job-state.ts'
import type { JobPorts } from './job-ports.ts'
import { JobError, reasonOf, toJobError } from './reason.ts'

export type JobRun = {
  /** Aborted when the caller gives up, the lease is lost or the task is cancelled. */
  signal: AbortSignal
  /** Written at most once a second; `percent` 0 to 100. */
  progress(percent: number, message: string, messageZh?: string): Promise<void>
}

type Ports = Pick<JobPorts, 'catalogue' | 'clock'>
type Key = { pk: string; sk: string }
type Job = {
  /** The row of a job that its message brings along; without it a missing row is `NotFound`. */
  create?: () => Row
  /** The attributes with which the row becomes SUCCESS. */
  work: (run: JobRun) => Promise<Partial<Row>>
  signal: AbortSignal
}

/**
 * Does a job once, however often its message comes.
 *
 *   PENDING ──claim──► PROCESSING ──► SUCCESS
 *      ▲                   │
 *      └── error, < 3 ─────┴─ terminal error, or the third ──► FAILED, for ever
 *
 * A claim is a conditional write: attempt and fence + 1, a lease of 60 s that a heartbeat renews. Each later
 * write of this run demands that the fence is still its own. Returns the finished row, also when an earlier
 * run finished it. Throws a terminal error when the row is FAILED, `Aborted` while another run holds the
 * lease, and else what went wrong, for another try.
 */
export async function runJob(ports: Ports, key: Key, job: Job): Promise<Row> {
  const claimed = await claim(ports, key, job.create)
  if (claimed.status === 'SUCCESS') return claimed
  if (claimed.status === 'FAILED') throw failedForEver(jobState.parse(claimed))
  const { fence } = jobState.parse(claimed)
  using lease = new Lease(ports, key, fence, job.signal)
  try {
    const attributes = await job.work(lease)
    job.signal.throwIfAborted()
    return await writeIfMine(ports, key, fence, (row) => ({
      ...withWorkKeys({
        ...row,
        status: 'SUCCESS',
        progress: 100,
        message: '',
        messageZh: undefined,
        leaseUntil: 0,
      }),
      ...attributes,
    }))
  } catch (cause) {
    const error = toJobError(lease.signal.aborted ? lease.signal.reason : cause)
    await giveBack(ports, key, fence, error)
    throw error
  }
}

async function claim({ catalogue, clock }: Ports, key: Key, create: Job['create']): Promise<Row> {
  const claimed = await changeRow(catalogue, key, (before) => {
    const now = clock.nowMs()
    const row = before ?? create?.()
    if (!row) throw new AppError('NotFound', 'The task is not known.')
    const state = jobState.parse({ version: 0, ...row })
    if (state.status === 'SUCCESS' || state.status === 'FAILED') return before ? undefined : row
    // A lease that ends later than any can end was written by a clock that has been set back since.
    if (state.leaseUntil > now && state.leaseUntil <= now + jobLeaseMs) throw busy()
    if (row.cancelled === true) return failed(row, cancelled(), now)
    if (state.attempts >= jobAttemptsMax) return failed(row, killedTooOften(), now)
    return withWorkKeys({
      ...row,
      status: 'PROCESSING',
      progress: 0,
      message: '',
      messageZh: undefined,
      reason: undefined,
      detail: undefined,
      attempts: state.attempts + 1,
      fence: state.fence + 1,
      leaseUntil: now + jobLeaseMs,
      updatedAt: now,
    })
  })
  if (!claimed) throw new AppError('Internal', 'A claim wrote no row.')
  return claimed
}

/** After an error: PENDING for another attempt, or FAILED. A run that was told to stop has not used up its attempt. */
async function giveBack(ports: Ports, key: Key, fence: number, error: AppError): Promise<void> {
  const now = ports.clock.nowMs()
  try {
    await writeIfMine(ports, key, fence, (row) => {
      const { status, attempts } = jobState.parse(row)
      if (status !== 'PROCESSING') return undefined // The completing write came through, its answer did not.
      if (error.kind !== 'Cancelled' && (error.terminal || attempts >= jobAttemptsMax))
        return failed(row, error, now)
      const used = error.kind === 'Cancelled' ? attempts - 1 : attempts
      return {
        ...row,
        status: 'PENDING',
        leaseUntil: 0,
        attempts: used,
        message: error.message,
        messageZh: error.messageZh,
      }
    })
  } catch {
    // The row keeps its lease until that ends, then the next delivery goes on. The first error is the one to tell.
  }
}

function failed(row: Row, error: AppError, now: number): Row {
  return withWorkKeys({
    ...row,
    status: 'FAILED',
    leaseUntil: 0,
    reason: reasonOf(error),
    ...(error instanceof JobError && error.detail !== undefined
      ? { detail: error.detail, message: error.message, messageZh: error.messageZh, result: error.result }
      : { detail: error.message, message: '', messageZh: error.messageZh }),
    updatedAt: now,
  })
}

async function writeIfMine(
  { catalogue, clock }: Ports,
  key: Key,
  fence: number,
  change: (row: Row) => Row | undefined,
): Promise<Row> {
  const row = await changeRow(catalogue, key, (before) => {
    if (before?.fence !== fence) throw new AppError('Aborted', 'Another run has taken over this job.')
    const after = change(before)
    return after && { ...after, updatedAt: clock.nowMs() }
  })
  if (!row) throw new AppError('Aborted', 'The row of this job is gone.')
  return row
}

/** Keeps a claim alive while the work runs. */
class Lease implements JobRun, Disposable {
  readonly signal: AbortSignal
  readonly #ports: Ports
  readonly #key: Key
  readonly #fence: number
  readonly #lost = new AbortController()
  readonly #ended = new AbortController()
  #toldAtMs = Number.NEGATIVE_INFINITY

  constructor(ports: Ports, key: Key, fence: number, outer: AbortSignal) {
    this.#ports = ports
    this.#key = key
    this.#fence = fence
    this.signal = AbortSignal.any([outer, this.#lost.signal])
    void this.#beat()
  }

  /** Bound: a job may hand it on. */
  progress = async (percent: number, message: string, messageZh?: string): Promise<void> => {
    this.signal.throwIfAborted()
    const now = this.#ports.clock.monotonicMs()
    if (now - this.#toldAtMs < jobProgressEveryMs) return
    this.#toldAtMs = now
    await this.#renew((row) => ({
      ...row,
      progress: Math.max(Number(row.progress), Math.floor(percent)),
      message,
      messageZh,
    }))
  }

  async #beat(): Promise<void> {
    try {
      while (!this.#ended.signal.aborted) {
        await this.#ports.clock.sleep(jobHeartbeatMs, this.#ended.signal)
        await this.#renew((row) => row)
      }
    } catch {
      // Ended, or lost (which #renew has told through the signal).
    }
  }

  async #renew(change: (row: Row) => Row): Promise<void> {
    try {
      await writeIfMine(this.#ports, this.#key, this.#fence, (row) => {
        if (row.cancelled === true) throw cancelled()
        if (row.status !== 'PROCESSING') return undefined
        return { ...change(row), leaseUntil: this.#ports.clock.nowMs() + jobLeaseMs }
      })
    } catch (cause) {
      const error = AppError.from(cause)
      if (error.terminal || error.kind === 'Aborted') this.#lost.abort(error)
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#ended.abort()
  }
}

const busy = () => new AppError('Aborted', 'Another run is at work on this.')
/** For a task that nobody is at work on: it ends without its turn. */
export const cancelledRow = (row: Row, now: number): Row =>
  failed({ ...row, cancelled: true }, cancelled(), now)

const cancelled = () => new AppError('FailedPrecondition', 'The task was cancelled.', { zh: '任务已取消。' })
const killedTooOften = () =>
  new AppError(
    'ResourceExhausted',
    `The job was killed ${jobAttemptsMax} times; it may need more memory or time.`,
  )

function failedForEver(state: JobState): AppError {
  return new AppError('FailedPrecondition', state.detail ?? 'The job has failed before.')
}

/** For a redrive: FAILED becomes PENDING with all its attempts. Returns whether there was such a row. */
export async function resetJob(ports: Ports, key: Key): Promise<boolean> {
  let reset = false
  await changeRow(ports.catalogue, key, (row) => {
    reset = row?.status === 'FAILED'
    if (!row || !reset) return undefined
    const { reason: _reason, detail: _detail, cancelled: _cancelled, ...rest } = row
    const pending = { ...rest, status: 'PENDING', attempts: 0, leaseUntil: 0, updatedAt: ports.clock.nowMs() }
    return withWorkKeys(pending as unknown as Row)
  })
  return reset
}

/** Frees every claim: for a place where no other process can hold one, after its start. */
export async function releaseClaims(
  { catalogue }: Pick<Ports, 'catalogue'>,
  openPartition: string,
): Promise<void> {
  let cursor: string | undefined
  do {
    const page = await catalogue.query({
      index: 'gsi2',
      pk: openPartition,
      ...(cursor !== undefined && { cursor }),
    })
    for (const { pk, sk, leaseUntil } of page.rows) {
      if (Number(leaseUntil) > 0)
        await changeRow(catalogue, { pk, sk }, (row) => row && { ...row, leaseUntil: 0 })
    }
    cursor = page.cursor
  } while (cursor !== undefined)
}
