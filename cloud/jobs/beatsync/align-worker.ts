import { parentPort, workerData } from 'node:worker_threads'
import { align } from './align.ts'

const { dance, bgm } = workerData as { dance: Float32Array; bgm: Float32Array }
parentPort?.postMessage(align(dance, bgm))
