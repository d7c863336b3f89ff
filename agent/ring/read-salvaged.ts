import { ringBlockBytes } from '../../shared/limits.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import { readFile } from './write-durably.ts'

/**
 * The whole file. Blocks that the disk cannot read (EIO) are zeros, and are made zeros in the file too: a disk puts
 * another sector there when it is written, and the rest can be read, checked and uploaded again. The caller's
 * checksums see what was in them. Throws when the disk does not take that either: then it is not a sector but the disk.
 */
export function readSalvaged(fs: RingFs, path: string): Uint8Array {
  try {
    return readFile(fs, path)
  } catch (error) {
    if (errorCode(error) !== 'EIO') throw error
  }
  const fd = fs.open(path, 'update')
  try {
    const bytes = new Uint8Array(fs.size(fd))
    for (let at = 0; at < bytes.length; at += ringBlockBytes) {
      const block = bytes.subarray(at, at + ringBlockBytes)
      if (!canRead(fs, fd, block, at)) fs.write(fd, [block.fill(0)], at)
    }
    fs.sync(fd)
    return bytes
  } finally {
    fs.close(fd)
  }
}

function canRead(fs: RingFs, fd: number, into: Uint8Array, position: number): boolean {
  try {
    fs.read(fd, into, position)
    return true
  } catch (error) {
    if (errorCode(error) !== 'EIO') throw error
    return false
  }
}
