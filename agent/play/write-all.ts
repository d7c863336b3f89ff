import type { Duplex } from 'node:stream'

/** One call to the kernel for all chunks. `done` comes once Node holds none of them. */
export function writeAll(
  socket: Duplex,
  chunks: readonly Uint8Array[],
  done: (failed: boolean) => void,
): void {
  const last = chunks.length - 1
  socket.cork()
  chunks.forEach((chunk, i) => {
    socket.write(chunk, i === last ? (error) => done(error != null) : undefined)
  })
  socket.uncork()
}
