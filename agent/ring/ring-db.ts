import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { Gap } from '../../shared/contract/segment.ts'
import { ringGapsMax } from '../../shared/limits.ts'
import type { SegmentPlace } from './names.ts'
import type { SealedFile } from './seal.ts'
import type { StreamReach } from './types.ts'

/** `local`: its bytes are here. `deleting`: its deletion has begun and will be finished. */
export type StoredSegment = SegmentPlace & {
  from: number
  to: number
  units: number
  sizeBytes: number
  continues: boolean
  /** A unit followed at once: see `SegmentEnd`. */
  continued: boolean
  uploaded: boolean
  /** Was confirmed, and was claimed anew since: the store may have deleted it meanwhile. */
  doubted: boolean
  local: boolean
  claimed: boolean
  deleting: boolean
  /** In the order of upload, manifest last. */
  files: SealedFile[]
}

export type Claim = { stream: string; from: number; to: number | null }

const schema = `
create table if not exists segment (
  stream text not null, epoch integer not null, seq integer not null,
  from_ms integer not null, to_ms integer not null, units integer not null, bytes integer not null,
  continues integer not null, continued integer not null, uploaded integer not null, local integer not null, claimed integer not null,
  deleting integer not null, files text not null,
  primary key (stream, epoch, seq)
) without rowid;
create index if not exists segment_time on segment (stream, from_ms);
create index if not exists segment_work on segment (local, uploaded, claimed, from_ms);
create table if not exists gap (
  stream text not null, from_ms integer not null, cause text not null, to_ms integer not null, units integer,
  primary key (stream, from_ms, cause)
) without rowid;
create table if not exists recording (
  id text primary key, rev integer not null, state text not null, created_ms integer not null,
  uploaded_rev integer not null, bytes integer not null, sha256 text not null, json text not null
) without rowid;
create table if not exists claim (
  stream text not null, from_ms integer not null, to_ms integer, open integer not null, recording text not null,
  primary key (stream, recording, from_ms)
) without rowid;
create table if not exists stream (name text primary key, epoch integer not null) without rowid;
pragma user_version = 1;
`

const overlapsClaim = `exists (select 1 from claim c where c.stream = segment.stream
  and c.from_ms < segment.to_ms and (c.to_ms is null or c.to_ms > segment.from_ms))`

/** The column `uploaded`: 0 no, 1 yes, 2 confirmed once and to be asked for again. */
const notUploaded = 'uploaded in (0, 2)'

const isPending = `local = 1 and ${notUploaded} and deleting = 0
  and (claimed = 1 or stream in (select value from json_each(?)))
  and stream not in (select value from json_each(?))`

/**
 * agent.db: an index over manifests and recording files, never the only place of a fact that cannot be lost.
 * WAL with synchronous=FULL: 0 of 4395 commits were lost in power cuts, with NORMAL 494 in one.
 */
export class RingDb implements Disposable {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  /** Throws what SQLite throws when the file is no database or damaged. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path)
    try {
      this.#db.exec('pragma journal_mode = wal; pragma synchronous = full;')
      const check = this.#db.prepare('pragma quick_check(1)').get()
      if (check?.quick_check !== 'ok') throw new Error(`agent.db: ${String(check?.quick_check)}`)
      this.#db.exec(schema)
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear()
    this.#db.close()
  }

  /** All or nothing, durable when it returns; inside of another one, with that one. */
  transaction<T>(work: () => T): T {
    if (this.#db.isTransaction) return work()
    this.#db.exec('begin immediate')
    try {
      const result = work()
      this.#db.exec('commit')
      return result
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('rollback')
      throw error
    }
  }

  /** Its `claimed` is computed from the claims. */
  putSegment(segment: Omit<StoredSegment, 'claimed' | 'deleting' | 'doubted'>): void {
    const { stream, epoch, seq } = segment
    this.#run(
      'insert or replace into segment values (?,?,?,?,?,?,?,?,?,?,?,0,0,?)',
      ...[stream, epoch, seq, segment.from, segment.to, segment.units, segment.sizeBytes],
      ...[
        Number(segment.continues),
        Number(segment.continued),
        Number(segment.uploaded),
        Number(segment.local),
      ],
      JSON.stringify(segment.files),
    )
    this.#run(
      `update segment set claimed = ${overlapsClaim} where stream = ? and epoch = ? and seq = ?`,
      ...[stream, epoch, seq],
    )
    this.#run(
      'insert into stream values (?, ?) on conflict (name) do update set epoch = max(epoch, excluded.epoch)',
      ...[stream, epoch],
    )
  }

  segment({ stream, epoch, seq }: SegmentPlace): StoredSegment | undefined {
    return this.#segments('where stream = ? and epoch = ? and seq = ?', stream, epoch, seq)[0]
  }

  /** Overlapping [from, to), oldest first. */
  segments(stream: string, from: number, to: number): StoredSegment[] {
    const where =
      'where stream = ? and from_ms < ? and to_ms > ? and deleting = 0 order by from_ms, epoch, seq'
    return this.#segments(where, stream, to, from)
  }

  /** Places only: for a comparison with the files of one stream. */
  places(stream: string): (SegmentPlace & { uploaded: boolean; local: boolean; deleting: boolean })[] {
    return this.#all(
      'select epoch, seq, uploaded, local, deleting from segment where stream = ?',
      stream,
    ).map((row) => ({
      stream,
      epoch: Number(row.epoch),
      seq: Number(row.seq),
      uploaded: row.uploaded === 1,
      local: row.local === 1,
      deleting: row.deleting === 1,
    }))
  }

  /** Wall ms of the end of the newest segment if a unit was to follow it; told once. */
  takeContinued(stream: string): number | undefined {
    const newest = this.#segments('where stream = ? order by epoch desc, seq desc limit 1', stream)[0]
    if (!newest?.continued) return undefined
    this.#run(
      'update segment set continued = 0 where stream = ? and epoch = ? and seq = ?',
      ...placeOf(newest),
    )
    return newest.to
  }

  /** Wall ms of the end of all that is known of a stream. */
  endOf(stream: string): number | undefined {
    const row = this.#all('select max(to_ms) as last from segment where stream = ?', stream)[0]
    return row?.last === null || row === undefined ? undefined : Number(row.last)
  }

  streams(): { name: string; epoch: number }[] {
    return this.#all('select name, epoch from stream').map((row) => ({
      name: String(row.name),
      epoch: Number(row.epoch),
    }))
  }

  /** The first that may go: verified in the store, else unclaimed (not of the streams to `keep`), else any; oldest first. */
  toRecycle(kind: 'uploaded' | 'unclaimed' | 'any', keep: readonly string[]): StoredSegment | undefined {
    const where = {
      uploaded: 'uploaded = 1',
      unclaimed: `${notUploaded} and claimed = 0 and stream not in (select value from json_each(?))`,
      any: notUploaded,
    }[kind]
    const bound = kind === 'unclaimed' ? [JSON.stringify(keep)] : []
    return this.#segments(
      `where local = 1 and deleting = 0 and ${where} order by from_ms limit 1`,
      ...bound,
    )[0]
  }

  /** Not yet uploaded and wanted: claimed, or of an `always` stream; never of a `never` stream. */
  pending(always: readonly string[], never: readonly string[], limit: number): StoredSegment[] {
    const lists = [JSON.stringify(always), JSON.stringify(never)]
    return this.#segments(`where ${isPending} order by from_ms limit ?`, ...lists, limit)
  }

  pendingTotal(always: readonly string[], never: readonly string[]): { segments: number; bytes: number } {
    const sql = `select count(*) as n, coalesce(sum(bytes), 0) as bytes from segment where ${isPending}`
    const row = this.#all(sql, JSON.stringify(always), JSON.stringify(never))[0]
    return { segments: Number(row?.n), bytes: Number(row?.bytes) }
  }

  setUploaded(place: SegmentPlace): void {
    this.#run('update segment set uploaded = 1 where stream = ? and epoch = ? and seq = ?', ...placeOf(place))
  }

  /** Of what a new claim covers. */
  doubtUploaded(stream: string, from: number, to: number | null): void {
    this.#run(
      `update segment set uploaded = 2 where stream = ? and to_ms > ? and (? is null or from_ms < ?)
       and uploaded = 1 and local = 1 and deleting = 0`,
      ...[stream, from, to, to],
    )
  }

  /** Confirmed and still here, newest first. Two questions, each in the order of the index. */
  lastUploaded(sinceMs: number, limit: number): StoredSegment[] {
    const newest = (claimed: number) =>
      this.#segments(
        'where local = 1 and uploaded = 1 and claimed = ? and from_ms >= ? order by from_ms desc limit ?',
        ...[claimed, sinceMs, limit],
      )
    return [...newest(0), ...newest(1)].sort((a, b) => b.from - a.from).slice(0, limit)
  }

  setDeleting(place: SegmentPlace): void {
    this.#run('update segment set deleting = 1 where stream = ? and epoch = ? and seq = ?', ...placeOf(place))
  }

  /** The row stays while an open claim will want to name it. */
  setGone(place: SegmentPlace): void {
    this.#run(
      'update segment set local = 0, deleting = 0 where stream = ? and epoch = ? and seq = ?',
      ...placeOf(place),
    )
  }

  removeSegment(place: SegmentPlace): void {
    this.#run('delete from segment where stream = ? and epoch = ? and seq = ?', ...placeOf(place))
  }

  /** Those that are in the store, gone here, and named by no claim that is still open. */
  forgettable(limit: number): SegmentPlace[] {
    const open = `exists (select 1 from claim c where c.open = 1 and c.stream = segment.stream
      and c.from_ms < segment.to_ms and (c.to_ms is null or c.to_ms > segment.from_ms))`
    return this.#segments(`where local = 0 and uploaded = 1 and not ${open} limit ?`, limit)
  }

  usage(): { segments: number; bytes: number } {
    const row = this.#all(
      'select count(*) as n, coalesce(sum(bytes), 0) as bytes from segment where local = 1',
    )[0]
    return { segments: Number(row?.n), bytes: Number(row?.bytes) }
  }

  /** How far back the ring reaches, of each stream of which something is here. */
  reach(): StreamReach[] {
    const rows = this.#all(
      `select stream, min(from_ms) as first, max(to_ms) as last, sum(bytes) as bytes
       from segment where local = 1 group by stream`,
    )
    return rows.map(({ stream, first, last, bytes }) => ({
      ...{ stream: String(stream), from: Number(first), to: Number(last), bytes: Number(bytes) },
    }))
  }

  /** The same stream, beginning and cause is the same gap, now known better. */
  putGap(stream: string, gap: Gap): void {
    this.#run(
      `insert into gap values (?, ?, ?, ?, ?) on conflict (stream, from_ms, cause)
       do update set to_ms = max(to_ms, excluded.to_ms), units = coalesce(excluded.units, units)`,
      ...[stream, gap.from, gap.cause, gap.to, gap.units ?? null],
    )
    this.#run(
      `delete from gap where stream = ? and from_ms <
         (select from_ms from gap where stream = ? order by from_ms desc limit 1 offset ${ringGapsMax})`,
      ...[stream, stream],
    )
  }

  /** Neighbouring losses of a ring that runs in a circle are one gap that grows. */
  extendGap(stream: string, gap: Gap): void {
    const before = this.#all(
      `select from_ms, to_ms, units from gap where stream = ? and cause = ? and from_ms <= ?
       and not exists (select 1 from segment s where s.stream = gap.stream and s.deleting = 0
         and s.from_ms >= gap.to_ms and s.from_ms < ?) order by from_ms desc limit 1`,
      ...[stream, gap.cause, gap.from, gap.from],
    )[0]
    if (!before) {
      this.putGap(stream, gap)
      return
    }
    this.#run(
      'update gap set to_ms = max(to_ms, ?), units = units + ? where stream = ? and from_ms = ? and cause = ?',
      ...[gap.to, gap.units ?? null, stream, Number(before.from_ms), gap.cause],
    )
  }

  gaps(stream: string, from: number, to: number): Gap[] {
    const rows = this.#all(
      'select * from gap where stream = ? and from_ms < ? and to_ms >= ? order by from_ms',
      ...[stream, to, from],
    )
    return rows.map((row) => ({
      from: Number(row.from_ms),
      to: Number(row.to_ms),
      cause: row.cause as Gap['cause'],
      ...(row.units !== null && { units: Number(row.units) }),
    }))
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.#run(sql, ...values)
  }

  all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#all(sql, ...values)
  }

  /** After a change of the claims of these streams. */
  reclaim(stream: string, from: number): void {
    this.#run(`update segment set claimed = ${overlapsClaim} where stream = ? and to_ms > ?`, stream, from)
  }

  #segments(where: string, ...values: SQLInputValue[]): StoredSegment[] {
    return this.#all(`select * from segment ${where}`, ...values).map(toSegment)
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values)
  }

  #all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#statement(sql).all(...values)
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#db.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

function placeOf({ stream, epoch, seq }: SegmentPlace): [string, number, number] {
  return [stream, epoch, seq]
}

function toSegment(row: Record<string, unknown>): StoredSegment {
  return {
    stream: String(row.stream),
    epoch: Number(row.epoch),
    seq: Number(row.seq),
    from: Number(row.from_ms),
    to: Number(row.to_ms),
    units: Number(row.units),
    sizeBytes: Number(row.bytes),
    continues: row.continues === 1,
    continued: row.continued === 1,
    uploaded: row.uploaded === 1,
    doubted: row.uploaded === 2,
    local: row.local === 1,
    claimed: row.claimed === 1,
    deleting: row.deleting === 1,
    files: JSON.parse(String(row.files)) as SealedFile[],
  }
}
