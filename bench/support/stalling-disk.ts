/**
 * Loaded before the agent (`--import`): while the file that EDGEREEL_BENCH_STALL names exists, writes and syncs of
 * worker threads do not return. It stands for a disk that does not answer; the main thread is left alone.
 */
import fs, { existsSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const path = process.env.EDGEREEL_BENCH_STALL
const nap = new Int32Array(new SharedArrayBuffer(4))

function stalls<Args extends unknown[], Result>(call: (...args: Args) => Result): (...args: Args) => Result {
  return (...args) => {
    while (path !== undefined && existsSync(path)) Atomics.wait(nap, 0, 0, 10)
    return call(...args)
  }
}

if (!isMainThread) {
  const { writevSync, fdatasyncSync, fsyncSync } = fs
  Object.assign(fs, {
    writevSync: stalls(writevSync),
    fdatasyncSync: stalls(fdatasyncSync),
    fsyncSync: stalls(fsyncSync),
  })
  syncBuiltinESMExports()
}
