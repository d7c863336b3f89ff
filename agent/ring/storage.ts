import type { Gap } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { Claims } from './claims.ts'
import { causeOf, DiskState } from './disk-state.ts'
import type { Emit, ToWorker, WireError } from './messages.ts'
import { layoutOf } from './names.ts'
import { openDatabase } from './open-database.ts'
import { OpenSegments } from './open-segments.ts'
import { checkOwner } from './owner.ts'
import { Quota } from './quota.ts'
import { recoverClaims } from './recover-claims.ts'
import { type RecoveryReport, recoverRing } from './recovery.ts'
import type { RingDb } from './ring-db.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import { answer, StorageCalls } from './storage-calls.ts'
import type { StreamReach } from './types.ts'
import { unitsOfBatch } from './unpack-batch.ts'

export type StorageOptions = {
  dir: string
  agent: { name: string; uuid: string }
  quotaBytes: number
  whenFull: 'overwrite' | 'stop'
}

type StorageParts = { fs: RingFs; clock: Clock; emit: Emit; openDb?: (path: string) => RingDb }

const reachEvery = 5 // Seconds: with 100,000 segments the question takes this thread 50 ms.

/**
 * Everything that happens on the disk, synchronous and in one place: the storage worker runs it in its thread, a
 * test runs it where it stands. Recovers at construction; messages in, messages out.
 */
export class Storage implements Disposable {
  readonly report: RecoveryReport
  readonly #db: RingDb
  readonly #quota: Quota
  readonly #disk: DiskState
  readonly #segments: OpenSegments
  readonly #calls: StorageCalls
  readonly #emit: Emit
  #told = 0
  #reach: StreamReach[] = []

  constructor(options: StorageOptions, { fs, clock, emit, openDb }: StorageParts) {
    const layout = layoutOf(options.dir)
    fs.mkdir(layout.ring)
    fs.mkdir(layout.recordings)
    fs.syncDirectory(options.dir)
    checkOwner(fs, layout, options.agent)
    const { db, rebuild } = openDatabase(fs, layout, openDb)
    const claims = new Claims(fs, layout, db)
    const quarantined = recoverClaims(fs, layout, claims)
    this.report = recoverRing({ fs, layout, db, nowMs: clock.nowMs(), rebuild })
    this.report.quarantined.push(...quarantined)
    const { quotaBytes, whenFull } = options
    const onLost = (stream: string, gap: Gap) => emit({ type: 'lost', stream, gap })
    const quota = new Quota({ fs, layout, db, quotaBytes, whenFull, onLost })
    const disk = new DiskState({ fs, layout, quota, clock, emit })
    this.#segments = new OpenSegments({ fs, layout, db, quota, disk, clock, emit })
    this.#calls = new StorageCalls({ fs, layout, db, claims, quota, onLost })
    this.#db = db
    this.#quota = quota
    this.#disk = disk
    this.#emit = emit
    this.#announce()
  }

  /** Seals what is open. */
  [Symbol.dispose](): void {
    this.#segments.sealAll()
    this.#db[Symbol.dispose]()
  }

  handle(message: ToWorker): void {
    if (message.type === 'call') this.#answer(message)
    else if (message.type === 'batch') {
      for (const [slot, units] of unitsOfBatch(message)) this.#segments.append(slot, units)
      this.#segments.sync()
      this.#emit({ type: 'wrote', cost: message.cost })
    } else if (message.type === 'open') this.#segments.open(message.slot, message.header, message.gaps)
    else if (message.type === 'audio') this.#segments.addAudio(message.slot, message.audio)
    else if (message.type === 'gap') this.#segments.gap(message.slot, message.gap)
    else if (message.type === 'seal') this.#segments.seal(message.slot, message.end)
  }

  /** Call it every `tickMs`. True once a second. */
  tick(): boolean {
    this.#segments.sync()
    if (!this.#disk.tick()) return false
    this.#segments.retrySealings()
    this.#quietly(() => this.#quota.forget())
    this.#tellStats()
    return true
  }

  #announce(): void {
    const epochs = this.#db.streams().map(({ name, epoch }): [string, number] => [name, epoch])
    const { sealed, adopted, quarantined, tails, lost } = this.report
    this.#emit({ type: 'ready', epochs, tails: [...tails], recovery: { sealed, adopted, quarantined, lost } })
    this.#tellStats()
  }

  #tellStats(): void {
    const { usedBytes, quotaBytes, segments } = this.#quota
    this.#quietly(() => {
      const freeBytes = this.#quota.freeBytes()
      if (this.#told % reachEvery === 1) this.#reach = this.#db.reach()
      this.#told += 1
      this.#emit({ type: 'stats', stats: { usedBytes, quotaBytes, segments, freeBytes, reach: this.#reach } })
    })
  }

  #answer({ id, method, args }: Extract<ToWorker, { type: 'call' }>): void {
    try {
      this.#emit({ type: 'answer', id, value: answer(this.#calls, { method, args }) })
    } catch (cause) {
      this.#emit({ type: 'answer', id, error: wireError(cause) })
    }
  }

  /** Housekeeping that a failing disk may refuse: the next second tries again. */
  #quietly(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#disk.blockFor(error)
    }
  }
}

/** An error as it goes to the main thread: nothing of the disk's paths is for a client's eyes. */
export function wireError(cause: unknown): WireError {
  if (cause instanceof AppError) {
    const { kind, message, messageZh } = cause
    return { kind, message, ...(messageZh !== undefined && { zh: messageZh }) }
  }
  if (causeOf(cause) === 'disk-full') {
    return {
      kind: 'ResourceExhausted',
      message: 'the disk is full; free some space',
      zh: '磁盘已满，请清理空间。',
    }
  }
  const code = errorCode(cause)
  if (code === 'ENOENT') return { kind: 'NotFound', message: 'the file is gone' }
  return { kind: 'Internal', message: cause instanceof Error ? cause.message : 'unexpected failure' }
}
