import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { errorCode, type RingFs } from './ring-fs.ts'

/**
 * tmp → fsync → rename → fsync directory: afterwards the file is there whole, whatever happens; before, the old
 * one is. (Without the last step a power cut lost one file in a few hundred: RELIABILITY.md, durability.)
 */
export function writeDurably(
  fs: RingFs,
  path: string,
  bytes: Uint8Array,
): { sizeBytes: number; sha256: string } {
  const temporary = `${path}.tmp`
  const fd = createOver(fs, temporary)
  try {
    fs.write(fd, [bytes], 0)
    fs.sync(fd)
  } finally {
    fs.close(fd)
  }
  fs.rename(temporary, path)
  fs.syncDirectory(dirname(path))
  return sumOf(bytes)
}

export function sumOf(bytes: Uint8Array): { sizeBytes: number; sha256: string } {
  return { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** A failed try may have left its file. */
function createOver(fs: RingFs, path: string): number {
  try {
    return fs.open(path, 'create')
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    fs.unlink(path)
    return fs.open(path, 'create')
  }
}

export function readFile(fs: RingFs, path: string): Uint8Array {
  const fd = fs.open(path, 'read')
  try {
    const bytes = new Uint8Array(fs.size(fd))
    return bytes.subarray(0, fs.read(fd, bytes, 0))
  } finally {
    fs.close(fd)
  }
}

export function unlinkIfThere(fs: RingFs, path: string): void {
  try {
    fs.unlink(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}
