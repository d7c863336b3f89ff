import type { Duplex } from 'node:stream'
import type { WriteDone } from './viewer.ts'

const nothing = Buffer.alloc(0)

/**
 * One call to the kernel for all chunks. True when it took them at once, as it mostly does: then `done` is not called,
 * since a callback for each write would cost as much as all else here. Else it comes once Node holds none of them.
 */
export function writeAll(socket: Duplex, chunks: readonly Uint8Array[], done: WriteDone): boolean {
  const [first] = chunks
  if (chunks.length === 1) socket.write(first)
  else writeMany(socket, chunks)
  if (socket.writableLength === 0 && !socket.destroyed) return true
  socket.write(nothing, done) // Its turn comes behind what waits.
  return false
}

function writeMany(socket: Duplex, chunks: readonly Uint8Array[]): void {
  socket.cork()
  for (const chunk of chunks) socket.write(chunk)
  socket.uncork()
}
