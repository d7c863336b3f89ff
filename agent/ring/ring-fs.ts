import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statfsSync,
  unlinkSync,
  writevSync,
} from 'node:fs'

/**
 * The file system as the ring uses it: synchronous (only the storage worker calls it) and small enough that a
 * test can stand in for it, remember every operation, and make up what a power cut may leave of them (CrashFS).
 */
export type RingFs = {
  /** `create` fails with EEXIST if the file is there; `update` opens it for reading and writing. */
  open(path: string, mode: 'create' | 'update' | 'read'): number
  close(fd: number): void
  /** All bytes, at `position`. Throws when the disk takes only some; those may then be in the file. */
  write(fd: number, chunks: readonly Uint8Array[], position: number): void
  /** Up to `into.length` bytes; fewer only at the end of the file. */
  read(fd: number, into: Uint8Array, position: number): number
  size(fd: number): number
  truncate(fd: number, size: number): void
  /** Data, and what is needed to read it back (size). */
  datasync(fd: number): void
  sync(fd: number): void
  rename(from: string, to: string): void
  unlink(path: string): void
  /** With its parents; true if it was made. */
  mkdir(path: string): boolean
  /** Names in the directory, none if there is no such directory. */
  list(path: string): { name: string; directory: boolean }[]
  /** Makes renames, new names and removals in it durable. */
  syncDirectory(path: string): void
  space(path: string): { totalBytes: number; freeBytes: number; freeInodes: number | undefined }
}

const writevChunksMax = 1024 // IOV_MAX of Linux and macOS.

const flags = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  update: constants.O_RDWR,
  read: constants.O_RDONLY,
}

export const nodeFs: RingFs = {
  open: (path, mode) => openSync(path, flags[mode], 0o600),
  close: closeSync,
  write: writeAll,
  read: readAll,
  size: (fd) => fstatSync(fd).size,
  truncate: ftruncateSync,
  datasync: fdatasyncSync,
  sync: fsyncSync,
  rename: renameSync,
  unlink: unlinkSync,
  mkdir: (path) => mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined,
  list: listDirectory,
  syncDirectory,
  space(path) {
    const { bsize, blocks, bavail, files, ffree } = statfsSync(path)
    // btrfs and some network file systems have no count of inodes and report 0 of 0.
    return {
      totalBytes: blocks * bsize,
      freeBytes: bavail * bsize,
      freeInodes: files === 0 ? undefined : ffree,
    }
  },
}

function writeAll(fd: number, chunks: readonly Uint8Array[], position: number): void {
  let rest = chunks
  let at = position
  while (rest.length > 0) {
    const now = rest.slice(0, writevChunksMax)
    const written = writevSync(fd, now, at)
    at += written
    rest = [...skipBytes(now, written), ...rest.slice(now.length)]
  }
}

function skipBytes(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  const rest: Uint8Array[] = []
  for (const chunk of chunks) {
    if (skip < chunk.length) rest.push(chunk.subarray(skip))
    skip = Math.max(0, skip - chunk.length)
  }
  return rest
}

function readAll(fd: number, into: Uint8Array, position: number): number {
  let done = 0
  while (done < into.length) {
    const count = readSync(fd, into, done, into.length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}

function listDirectory(path: string): { name: string; directory: boolean }[] {
  try {
    return readdirSync(path, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      directory: entry.isDirectory(),
    }))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

function syncDirectory(path: string): void {
  if (process.platform === 'win32') return // Windows has no such call; NTFS journals the names itself.
  const fd = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** `ENOSPC` and the like; for SQLite the text of its result code. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { code } = error
  if (code === 'ERR_SQLITE_ERROR' && 'errcode' in error) return sqliteCode(Number(error.errcode))
  return typeof code === 'string' ? code : undefined
}

function sqliteCode(errcode: number): string | undefined {
  return sqliteCodes.get(errcode) ?? sqliteCodes.get(errcode & 0xff)
}

const sqliteCodes = new Map([
  [266, 'SQLITE_CORRUPT'], // SQLITE_IOERR_READ: a sector of the file is gone.
  [522, 'SQLITE_CORRUPT'], // SQLITE_IOERR_SHORT_READ
  [4874, 'ENOSPC'], // SQLITE_IOERR_SHMSIZE: no room for the index of its journal.
  [5, 'SQLITE_BUSY'],
  [8, 'EROFS'],
  [10, 'EIO'],
  [11, 'SQLITE_CORRUPT'],
  [13, 'ENOSPC'],
  [26, 'SQLITE_CORRUPT'], // "not a database"
])
