import { Batch } from '../../agent/ring/batch.ts'
import type { FromWorker } from '../../agent/ring/messages.ts'
import { RingDb } from '../../agent/ring/ring-db.ts'
import type { RingFs } from '../../agent/ring/ring-fs.ts'
import { headerOf } from '../../agent/ring/segment-writer.ts'
import { Storage } from '../../agent/ring/storage.ts'
import type { NewSegment } from '../../agent/ring/types.ts'
import type { AccessUnit } from '../../shared/media/access-unit.ts'
import { FakeClock } from './fake-clock.ts'
import { syntheticVideo } from './synthetic.ts'

export const agent = { name: 'lab', uuid: '00000000-0000-4000-8000-000000000001' }

/** The storage on this thread, over any file system and with a clock that stands still. */
export class StorageRig {
  readonly clock: FakeClock
  readonly messages: FromWorker[] = []
  readonly storage: Storage
  #slot = 0
  #call = 0

  constructor(options: {
    fs: RingFs
    dir?: string
    db?: RingDb
    openDb?: (path: string) => RingDb
    clock?: FakeClock
    quotaBytes?: number
    whenFull?: 'overwrite' | 'stop'
  }) {
    const {
      fs,
      dir = '/data',
      db = new RingDb(':memory:'),
      quotaBytes = 1e9,
      whenFull = 'overwrite',
    } = options
    this.clock = options.clock ?? new FakeClock()
    const emit = (message: FromWorker) => this.messages.push(message)
    const openDb = options.openDb ?? (() => db)
    this.storage = new Storage({ dir, agent, quotaBytes, whenFull }, { fs, clock: this.clock, emit, openDb })
  }

  open(segment: Partial<NewSegment> & { epoch: number; seq: number }): number {
    this.#slot += 1
    const whole: NewSegment = {
      ...{ stream: 'cam', video: syntheticVideo, wallOffsetMs: 0, wallBoundMs: 0 },
      ...{ timeSource: 'device', continues: false },
      ...segment,
    }
    const header = headerOf(whole, agent.name, this.clock.nowMs())
    this.storage.handle({ type: 'open', slot: this.#slot, header, gaps: whole.gaps ?? [] })
    return this.#slot
  }

  append(slot: number, ...units: AccessUnit[]): void {
    const batch = new Batch()
    for (const unit of units) batch.add(slot, unit, undefined, false, unit.arrivalMs * 1000)
    this.storage.handle(batch.take().message)
  }

  seal(slot: number): void {
    const end = { reason: 'test', wallOffsetMs: 0, wallBoundMs: 0 }
    this.storage.handle({ type: 'seal', slot, end })
  }

  /** Answers, or throws what the call threw. */
  call(method: string, ...args: unknown[]): unknown {
    this.#call += 1
    const id = this.#call
    this.storage.handle({ type: 'call', id, method, args } as Parameters<Storage['handle']>[0])
    const answer = this.messages.findLast((message) => message.type === 'answer' && message.id === id)
    if (answer?.type !== 'answer') throw new Error(`no answer to ${method}`)
    if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error)
    return answer.value
  }

  /** Lets the time pass in which everything is synced, and the disk is looked at. */
  settle(ms = 1000): void {
    this.clock.advance(ms)
    this.storage.tick()
  }

  of<Type extends FromWorker['type']>(type: Type): Extract<FromWorker, { type: Type }>[] {
    return this.messages.filter((message) => message.type === type) as Extract<FromWorker, { type: Type }>[]
  }
}
