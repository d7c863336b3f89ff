import { parentPort, workerData } from 'node:worker_threads'
import { nodeFs } from './ring-fs.ts'
import type { StorageOptions } from './storage.ts'
import { serveStorage } from './storage-thread.ts'

if (parentPort) serveStorage(parentPort, workerData as StorageOptions, nodeFs)
