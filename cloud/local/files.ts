import { createHash } from 'node:crypto'
import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { AppError } from '../../shared/error.ts'
import { listPageKeysMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { isKey } from '../object-key.ts'
import type { ByteRange, ObjectHead, ObjectStore, PutOptions, UploadOptions } from '../ports.ts'
import { write, writeCache } from './database.ts'
import { codeOf } from './disk-error.ts'
import { writeObjectFile } from './object-file.ts'
import { isInside, keyPath } from './object-path.ts'
import { readFileLent, readFileRange } from './read-file.ts'
import { presignGet, presignPost, presignPut } from './signed-url.ts'

type Options = {
  root: string
  database: DatabaseSync
  clock: Pick<Clock, 'nowMs'>
  signingKey: Uint8Array
  created?: Created
}

/**
 * Who is told of new objects, at least once: which ones is noted before they appear, so that of one whose process was
 * killed between the object and the telling is told at the next start. Told again when creation is tried again.
 */
type Created = { isTold(key: string): boolean; tell(key: string, sizeBytes: number): Promise<void> }

/**
 * The object store on a directory: the file of `raw/a/b` is `<root>/raw/a/b`. Checksums stand in the database
 * as a cache beside size and time of the file; without a row (lost database) the file is read again.
 */
export class FileStore implements ObjectStore {
  readonly #root: string
  readonly #temporary: string
  readonly #options: Options

  /** `root` must be a real path; `openFileStore` makes it one. */
  constructor(options: Options) {
    this.#options = options
    this.#root = options.root
    this.#temporary = join(options.root, '.tmp')
  }

  async put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    const path = keyPath(this.#root, key)
    const place = { root: this.#root, temporary: this.#temporary, path }
    const { created, database } = this.#options
    if (created?.isTold(key)) write(database, 'REPLACE INTO creating VALUES (?, ?)', key, options.sizeBytes)
    try {
      if (options.ifAbsent && (await this.#stat(key))) {
        throw new AppError('AlreadyExists', 'There is an object with this key.')
      }
      const { sha256 } = await writeObjectFile(place, body, options)
      const { size, mtimeMs } = await stat(path)
      if (sha256 !== undefined)
        this.#remember(key, { sizeBytes: size, modifiedMs: Math.trunc(mtimeMs), sha256 })
    } catch (error) {
      // The first try may have been killed between the rename and its notification.
      if (AppError.from(error).kind === 'AlreadyExists') await this.#tell(key, options.sizeBytes)
      throw error
    }
    await this.#tell(key, options.sizeBytes)
  }

  async #tell(key: string, sizeBytes: number): Promise<void> {
    const { created, database } = this.#options
    if (!created?.isTold(key)) return
    await created.tell(key, sizeBytes)
    writeCache(database, 'DELETE FROM creating WHERE key = ?', key)
  }

  /** Of a killed process: tells of what had come to be. */
  async tellAgain(): Promise<void> {
    const { database } = this.#options
    const rows = database.prepare('SELECT key, sizeBytes FROM creating').all() as {
      key: string
      sizeBytes: number
    }[]
    for (const { key, sizeBytes } of rows) {
      if (await this.#stat(key)) await this.#tell(key, sizeBytes)
      else writeCache(database, 'DELETE FROM creating WHERE key = ?', key)
    }
  }

  async get(key: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>> {
    const found = await this.#stat(key)
    if (!found) throw new AppError('NotFound', `There is no object ${key}.`)
    const start = range?.start ?? 0
    const end = Math.min(range?.end ?? found.sizeBytes, found.sizeBytes)
    if (start < 0 || start > end || (range && start === end)) {
      throw new AppError('InvalidArgument', `The object ${key} has no bytes in this range.`)
    }
    return (range?.lent ? readFileLent : readFileRange)(keyPath(this.#root, key), start, end)
  }

  async head(key: string, { sizeOnly = false } = {}): Promise<ObjectHead | undefined> {
    const found = await this.#stat(key)
    if (!found) return undefined
    const { sizeBytes, modifiedMs } = found
    if (sizeOnly) return { sizeBytes, sha256: undefined, lastModifiedMs: modifiedMs }
    const known = this.#options.database
      .prepare('SELECT sha256 FROM sums WHERE key = ? AND sizeBytes = ? AND modifiedMs = ?')
      .get(key, sizeBytes, modifiedMs) as { sha256: string } | undefined
    const sha256 = known?.sha256 ?? (await hashFile(keyPath(this.#root, key), sizeBytes))
    if (!known) this.#remember(key, { sizeBytes, modifiedMs, sha256 })
    return { sizeBytes, sha256, lastModifiedMs: modifiedMs }
  }

  async delete(key: string): Promise<void> {
    await rm(keyPath(this.#root, key), { force: true })
    writeCache(this.#options.database, 'DELETE FROM sums WHERE key = ?', key)
  }

  async list(prefix: string, cursor?: string) {
    const keys: { key: string; sizeBytes: number; lastModifiedMs: number }[] = []
    for await (const key of this.#walk('', prefix, cursor ?? '')) {
      const found = await this.#stat(key)
      if (!found) continue // Deleted since.
      if (keys.length === listPageKeysMax) return { keys, cursor: keys.at(-1)?.key ?? '' }
      keys.push({ key, sizeBytes: found.sizeBytes, lastModifiedMs: found.modifiedMs })
    }
    return { keys }
  }

  async presignPut(options: UploadOptions) {
    return presignPut(this.#options.signingKey, options, this.#options.clock.nowMs())
  }

  async presignPost(options: UploadOptions) {
    return presignPost(this.#options.signingKey, options, this.#options.clock.nowMs())
  }

  async presignGet(options: Parameters<ObjectStore['presignGet']>[0]): Promise<string> {
    return presignGet(this.#options.signingKey, options, this.#options.clock.nowMs())
  }

  /** Keys in the order of their bytes: a directory sorts as its name with a slash. */
  async *#walk(folder: string, prefix: string, after: string): AsyncGenerator<string> {
    const entries = await readdir(join(this.#root, folder), { withFileTypes: true }).catch(
      (error: unknown) => {
        if (codeOf(error) === 'ENOENT') return []
        throw error
      },
    )
    const names = entries
      .filter((entry) => entry.isDirectory() || entry.isFile())
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .sort((a, b) => (a < b ? -1 : 1)) // All keys are ASCII: order of UTF-16 is order of bytes.
    for (const name of names) {
      if (name.endsWith('/')) {
        const mayMatch = prefix.startsWith(name) || name.startsWith(prefix)
        if (mayMatch && (name > after || after.startsWith(name))) yield* this.#walk(name, prefix, after)
      } else if (isKey(name) && name.startsWith(prefix) && name > after) yield name
    }
  }

  async #stat(key: string): Promise<{ sizeBytes: number; modifiedMs: number } | undefined> {
    const path = keyPath(this.#root, key)
    try {
      const real = await realpath(path)
      const { size, mtimeMs } = await stat(real)
      return isInside(this.#root, real) ? { sizeBytes: size, modifiedMs: Math.trunc(mtimeMs) } : undefined
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      throw new AppError('Unavailable', 'The archive could not be read.', { cause: error })
    }
  }

  #remember(key: string, sum: { sizeBytes: number; modifiedMs: number; sha256: string }): void {
    const { sizeBytes, modifiedMs, sha256 } = sum
    const sql = 'REPLACE INTO sums VALUES (?, ?, ?, ?)'
    writeCache(this.#options.database, sql, key, sizeBytes, modifiedMs, sha256)
  }
}

export async function openFileStore(options: Options): Promise<FileStore> {
  await mkdir(options.root, { recursive: true, mode: 0o700 })
  const root = await realpath(options.root)
  await rm(join(root, '.tmp'), { recursive: true, force: true })
  await mkdir(join(root, '.tmp'))
  const store = new FileStore({ ...options, root })
  await store.tellAgain()
  return store
}

async function hashFile(path: string, sizeBytes: number): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of readFileLent(path, 0, sizeBytes)) hash.update(chunk)
  return hash.digest('hex')
}
