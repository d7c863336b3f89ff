import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { AppError } from '../../shared/error.ts'
import {
  deadLetterDaysMax,
  messageDelaySMax,
  queueBodyBytesMax,
  receiveCountMax,
} from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Queue, QueueName, Received } from '../ports.ts'
import { transaction, write } from './database.ts'

type Message = { id: number; body: string; receiveCount: number }

/** Seconds after which each copy of a message that is sent arrives; none: it is lost. */
export type Deliver = (queue: QueueName, body: string) => readonly number[]

const once: Deliver = () => [0]
const dayMs = 86_400_000

/**
 * SQS's behaviour on SQLite: at least once, visibility timeout, dead letters. Messages survive a restart;
 * those that a killed process had in hand are given out again at once, for nobody else can hold them.
 */
export class LocalQueue implements Queue {
  readonly #database: DatabaseSync
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #deliver: Deliver
  #wake = Promise.withResolvers<void>()

  /** `deliver`: once and at once, unless a test wants the bad days of SQS. */
  constructor(database: DatabaseSync, clock: Pick<Clock, 'nowMs'>, deliver: Deliver = once) {
    this.#database = database
    this.#clock = clock
    this.#deliver = deliver
    database.prepare('UPDATE messages SET dueMs = 0, receipt = NULL WHERE receipt IS NOT NULL').run()
  }

  async send(queue: QueueName, body: string, options: { delayS?: number } = {}): Promise<void> {
    const delayS = options.delayS ?? 0
    if (Buffer.byteLength(body) > queueBodyBytesMax || delayS > messageDelaySMax || body === '') {
      throw new AppError(
        'InvalidArgument',
        'The queue refuses the message: it is empty, too long or too late.',
      )
    }
    for (const lateS of this.#deliver(queue, body)) {
      // Due 0 and not now: a wall clock that is set back must not hide a message.
      const dueMs = delayS + lateS === 0 ? 0 : this.#clock.nowMs() + (delayS + lateS) * 1000
      write(this.#database, 'INSERT INTO messages (queue, body, dueMs) VALUES (?, ?, ?)', queue, body, dueMs)
    }
    this.#notify()
  }

  async receive(queue: QueueName, options: { max: number; visibilityS: number }): Promise<Received[]> {
    const now = this.#clock.nowMs()
    return transaction(this.#database, () => {
      const received: Received[] = []
      for (;;) {
        const due = this.#due(queue, now, options.max - received.length)
        for (const message of due) {
          if (message.receiveCount >= receiveCountMax) this.#giveUp(message, now)
          else received.push(this.#handOut(message, now + options.visibilityS * 1000))
        }
        if (due.length === 0 || received.length === options.max) return received
      }
    })
  }

  /** Looks at no more than it answers: a backlog costs a worker nothing. */
  #due(queue: QueueName, now: number, max: number): Message[] {
    return this.#database
      .prepare(
        `SELECT id, body, receiveCount FROM messages
         WHERE queue = ? AND deadAtMs IS NULL AND dueMs <= ? ORDER BY dueMs, id LIMIT ?`,
      )
      .all(queue, now, max) as Message[]
  }

  #giveUp({ id }: Message, now: number): void {
    this.#database.prepare('UPDATE messages SET deadAtMs = ?, receipt = NULL WHERE id = ?').run(now, id)
  }

  async extend(queue: QueueName, receipt: string, visibilityS: number): Promise<void> {
    const sql = 'UPDATE messages SET dueMs = ? WHERE queue = ? AND receipt = ? AND deadAtMs IS NULL'
    write(this.#database, sql, this.#clock.nowMs() + visibilityS * 1000, queue, receipt)
    this.#notify()
  }

  async remove(queue: QueueName, receipt: string): Promise<void> {
    write(this.#database, 'DELETE FROM messages WHERE queue = ? AND receipt = ?', queue, receipt)
  }

  async bury(queue: QueueName, receipt: string, body: string): Promise<void> {
    const now = this.#clock.nowMs()
    const sql = 'UPDATE messages SET deadAtMs = ?, receipt = NULL, body = ? WHERE queue = ? AND receipt = ?'
    write(this.#database, sql, now, body, queue, receipt)
    write(this.#database, 'DELETE FROM messages WHERE deadAtMs < ?', now - deadLetterDaysMax * dayMs)
  }

  async deadLetters(queue: QueueName, cursor?: string) {
    const after = Number(cursor ?? 0)
    const page = 100
    const found = this.#database
      .prepare(
        'SELECT id, body FROM messages WHERE queue = ? AND deadAtMs IS NOT NULL AND id > ? ORDER BY id LIMIT ?',
      )
      .all(queue, Number.isSafeInteger(after) ? after : 0, page) as Message[]
    const messages = found.map(({ id, body }) => ({ id: String(id), body }))
    return { messages, ...(found.length === page && { cursor: messages.at(-1)?.id ?? '' }) }
  }

  async redrive(queue: QueueName, id: string): Promise<void> {
    const sql = `UPDATE messages SET deadAtMs = NULL, dueMs = 0, receiveCount = 0
      WHERE queue = ? AND id = ? AND deadAtMs IS NOT NULL`
    const changes = write(this.#database, sql, queue, Number(id) || -1)
    if (changes === 0) throw new AppError('NotFound', `There is no dead letter ${id} in the queue ${queue}.`)
    this.#notify()
  }

  async depth(queue: QueueName): Promise<{ waiting: number; inFlight: number; dead: number }> {
    const row = this.#database
      .prepare(
        `SELECT count(*) FILTER (WHERE deadAtMs IS NULL AND receipt IS NULL) AS waiting,
                count(*) FILTER (WHERE deadAtMs IS NULL AND receipt IS NOT NULL) AS inFlight,
                count(*) FILTER (WHERE deadAtMs IS NOT NULL) AS dead FROM messages WHERE queue = ?`,
      )
      .get(queue) as { waiting: number; inFlight: number; dead: number }
    return { ...row }
  }

  /** Wall ms when the next message of these queues is due; undefined when there is none. */
  nextDueMs(queues: readonly QueueName[]): number | undefined {
    const names = queues.map(() => '?').join(', ')
    const row = this.#database
      .prepare(`SELECT min(dueMs) AS dueMs FROM messages WHERE deadAtMs IS NULL AND queue IN (${names})`)
      .get(...queues) as { dueMs: number | null }
    return row.dueMs ?? undefined
  }

  /** Resolves at the next send, redrive or change of a due time: a worker need not poll. */
  changed(): Promise<void> {
    return this.#wake.promise
  }

  #handOut(message: Message, dueMs: number): Received {
    const receipt = randomUUID()
    this.#database
      .prepare('UPDATE messages SET dueMs = ?, receipt = ?, receiveCount = receiveCount + 1 WHERE id = ?')
      .run(dueMs, receipt, message.id)
    return { id: String(message.id), receipt, body: message.body, receiveCount: message.receiveCount + 1 }
  }

  #notify(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }
}
