import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { giveBatchBuffer, takeBatchBuffer } from './batch-buffers.ts'

const readBytes = 256 * 1024

/** Bytes [start, end) of a file. Opens it when the first chunk is asked for, so that a body nobody reads holds no handle. */
export async function* readFileRange(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  if (start === end) return
  yield* createReadStream(path, { start, end: end - 1, highWaterMark: readBytes })
}

/**
 * As `readFileRange`, in two buffers in turn: a chunk is good until the next one is asked for, and that one is
 * read meanwhile.
 */
export async function* readFileLent(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  if (start === end) return
  await using stack = new AsyncDisposableStack()
  const buffers = [0, 1].map(() => stack.adopt(takeBatchBuffer(), giveBatchBuffer))
  const file = stack.use(await open(path, 'r')) // Closed first, which waits for the read under way.
  const read = (turn: number, at: number) => {
    const buffer = buffers[turn] ?? Buffer.alloc(0)
    const reading = file.read(buffer, 0, Math.min(buffer.length, end - at), at)
    reading.catch(() => {}) // Told when it is awaited; a reader that has enough never comes to it.
    return reading
  }
  let turn = 0
  let next = read(turn, start)
  for (let at = start; at < end; ) {
    const { bytesRead, buffer } = await next
    if (bytesRead === 0) return // Shorter than it was: the reader misses the rest.
    at += bytesRead
    turn = 1 - turn
    if (at < end) next = read(turn, at)
    yield buffer.subarray(0, bytesRead)
  }
}
