import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { databaseError } from './disk-error.ts'

/**
 * The one database of the local cloud: rows, messages, checksums of objects, and objects that are being created. WAL with synchronous=FULL:
 * what was answered survives a power cut (NORMAL lost 494 commits in one; RELIABILITY.md). The calls block,
 * which is why the cloud is a process of its own.
 */
export function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  database.exec(`
    PRAGMA page_size = 8192; -- Of a new file. A row of a segment has 1.2 kB: of 4096 bytes each would take one more page.
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS rows (
      pk TEXT NOT NULL, sk TEXT NOT NULL, version INTEGER NOT NULL,
      gsi1pk TEXT, gsi1sk TEXT, gsi2pk TEXT, gsi2sk TEXT, ttl INTEGER, json TEXT NOT NULL,
      PRIMARY KEY (pk, sk)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS gsi1 ON rows (gsi1pk, gsi1sk, pk, sk) WHERE gsi1pk IS NOT NULL;
    CREATE INDEX IF NOT EXISTS gsi2 ON rows (gsi2pk, gsi2sk, pk, sk) WHERE gsi2pk IS NOT NULL;
    CREATE INDEX IF NOT EXISTS ttl ON rows (ttl) WHERE ttl IS NOT NULL;
    CREATE TABLE IF NOT EXISTS messages (
      id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, body TEXT NOT NULL,
      dueMs INTEGER NOT NULL, receiveCount INTEGER NOT NULL DEFAULT 0, receipt TEXT,
      deadAtMs INTEGER
    );
    CREATE INDEX IF NOT EXISTS due ON messages (queue, dueMs, id) WHERE deadAtMs IS NULL;
    CREATE INDEX IF NOT EXISTS held ON messages (receipt) WHERE receipt IS NOT NULL;
    CREATE TABLE IF NOT EXISTS sums (
      key TEXT PRIMARY KEY, sizeBytes INTEGER NOT NULL, modifiedMs INTEGER NOT NULL, sha256 TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS creating (key TEXT PRIMARY KEY, sizeBytes INTEGER NOT NULL) WITHOUT ROWID;
  `)
  return database
}

/** For what can be found out again: it may be lost in a power cut, costs no sync, and a full disk is no failure. */
export function writeCache(database: DatabaseSync, sql: string, ...values: SQLInputValue[]): void {
  database.exec('PRAGMA synchronous = NORMAL')
  try {
    database.prepare(sql).run(...values)
  } catch (error) {
    const known = databaseError(error)
    if (known === error) throw error
  } finally {
    database.exec('PRAGMA synchronous = FULL')
  }
}

/** One statement that writes. Returns how many rows it changed. */
export function write(database: DatabaseSync, sql: string, ...values: SQLInputValue[]): number {
  try {
    return Number(database.prepare(sql).run(...values).changes)
  } catch (error) {
    throw databaseError(error)
  }
}

/** All or none. Not for nesting. */
export function transaction<T>(database: DatabaseSync, run: () => T): T {
  try {
    database.exec('BEGIN IMMEDIATE')
    const value = run()
    database.exec('COMMIT')
    return value
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK') // SQLite itself rolls back when the disk is full.
    throw databaseError(error)
  }
}
