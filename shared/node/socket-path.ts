import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const socketPathMax = 100 // sockaddr_un holds 108 bytes on Linux, 104 on macOS, with the closing zero.

/**
 * Where a process of this data directory listens for its neighbours: `<data>/<name>.sock`; in the temporary
 * directory, under a hash of the data directory, where that path is too long; a named pipe on Windows.
 */
export function socketPath(data: string, name: string): string {
  const directory = resolve(data)
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 16)
  if (process.platform === 'win32') return `\\\\.\\pipe\\edgereel-${hash}-${name}`
  const path = join(directory, `${name}.sock`)
  return Buffer.byteLength(path) <= socketPathMax ? path : join(tmpdir(), `edgereel-${hash}-${name}.sock`)
}
