import { parentPort, workerData } from 'node:worker_threads'
import { nodeFs } from '../../agent/ring/ring-fs.ts'
import type { StorageOptions } from '../../agent/ring/storage.ts'
import { serveStorage } from '../../agent/ring/storage-thread.ts'

/** A storage worker whose disk stands still for 5 s at its third sync of data, as a disk that wakes up does. */
const stallMs = 5000
const sleeper = new Int32Array(new SharedArrayBuffer(4))
let syncs = 0

const fs = {
  ...nodeFs,
  datasync(fd: number) {
    syncs += 1
    if (syncs === 3) Atomics.wait(sleeper, 0, 0, stallMs)
    nodeFs.datasync(fd)
  },
}

if (parentPort) serveStorage(parentPort, workerData as StorageOptions, fs)
