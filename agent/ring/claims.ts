import { type Recording, recording as recordingSchema } from '../../shared/contract/recording.ts'
import { AppError } from '../../shared/error.ts'
import type { Layout } from './names.ts'
import type { RingDb } from './ring-db.ts'
import type { RingFs } from './ring-fs.ts'
import type { PendingRecording, UnfinishedClaim } from './types.ts'
import { readFile, writeDurably } from './write-durably.ts'

/** Recordings: the file is the truth, the rows are an index over it and tell which segments are claimed. */
export class Claims {
  readonly #fs: RingFs
  readonly #layout: Layout
  readonly #db: RingDb

  constructor(fs: RingFs, layout: Layout, db: RingDb) {
    this.#fs = fs
    this.#layout = layout
    this.#db = db
  }

  /** Durable when it returns. `Aborted` for a revision that is older than the one that is kept. */
  save(value: Recording): void {
    const recording = checked(value)
    const known = this.get(recording.id)
    if (known && known.rev > recording.rev) {
      throw new AppError(
        'Aborted',
        `recording ${recording.id}: revision ${known.rev} is newer; read it and try again`,
      )
    }
    const json = JSON.stringify(recording)
    const sum = writeDurably(this.#fs, this.#layout.recording(recording.id), Buffer.from(json))
    this.index(recording, json, sum)
  }

  /** Rows only: after `save`, and when they are made again from the files. */
  index(recording: Recording, json: string, sum: { sizeBytes: number; sha256: string }): void {
    const db = this.#db
    const { id, rev, state, createdAt } = recording
    db.transaction(() => {
      db.run(
        `insert into recording values (?, ?, ?, ?, 0, ?, ?, ?) on conflict (id) do update set rev = excluded.rev,
         state = excluded.state, bytes = excluded.bytes, sha256 = excluded.sha256, json = excluded.json`,
        ...[id, rev, state, createdAt, sum.sizeBytes, sum.sha256, json],
      )
      const before = db.all('select stream, from_ms from claim where recording = ?', id)
      db.run('delete from claim where recording = ?', id)
      for (const stream of recording.streams) {
        const held = ({ stream: name, from_ms }: Record<string, unknown>) =>
          name === stream.name && Number(from_ms) <= stream.from
        if (!before.some(held)) db.doubtUploaded(stream.name, stream.from, stream.to)
        db.run(
          'insert or replace into claim values (?, ?, ?, ?, ?)',
          ...[stream.name, stream.from, stream.to, Number(state !== 'closed'), id],
        )
      }
      for (const stream of recording.streams) db.reclaim(stream.name, stream.from)
      for (const row of before) db.reclaim(String(row.stream), Number(row.from_ms))
    })
  }

  get(id: string): Recording | undefined {
    const row = this.#db.all('select json from recording where id = ?', id)[0]
    return row && (JSON.parse(String(row.json)) as Recording)
  }

  /** Newest first. */
  list(): Recording[] {
    const rows = this.#db.all('select json from recording order by created_ms desc, id desc')
    return rows.map((row) => JSON.parse(String(row.json)) as Recording)
  }

  /** Closed ones of which the store has not confirmed this revision, oldest first. */
  pending(limit: number): PendingRecording[] {
    const rows = this.#db.all(
      `select id, rev, bytes, sha256 from recording where state = 'closed' and uploaded_rev < rev
       order by created_ms limit ?`,
      limit,
    )
    return rows.map((row) => ({
      id: String(row.id),
      rev: Number(row.rev),
      sizeBytes: Number(row.bytes),
      sha256: String(row.sha256),
    }))
  }

  /** Open ones, and closed ones that the store has not confirmed yet; oldest first. */
  unfinished(limit: number): UnfinishedClaim[] {
    const rows = this.#db.all(
      `select json from recording where state != 'closed' or uploaded_rev < rev order by created_ms limit ?`,
      limit,
    )
    return rows.map((row) => {
      const { from, streams } = JSON.parse(String(row.json)) as Recording
      return {
        from: Math.min(from, ...streams.map((stream) => stream.from)),
        streams: streams.map((stream) => stream.name),
      }
    })
  }

  setUploaded(id: string, rev: number): void {
    this.#db.run('update recording set uploaded_rev = max(uploaded_rev, ?) where id = ?', rev, id)
  }

  /** The file as it is. `NotFound`. */
  read(id: string): Uint8Array {
    if (!this.get(id)) throw new AppError('NotFound', `there is no recording ${id}`)
    return readFile(this.#fs, this.#layout.recording(id))
  }
}

function checked(value: Recording): Recording {
  const result = recordingSchema.safeParse(value)
  if (result.success) return result.data
  throw new AppError('InvalidArgument', `not a recording: ${result.error.message}`, { cause: result.error })
}
