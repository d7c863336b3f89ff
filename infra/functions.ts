import type { QueueName } from '../cloud/ports.ts'

/**
 * The size of each function. Lambda gives CPU in proportion to memory: one core at 1769 MB. New accounts get
 * 3008 MB at most, and ten runs at once: so nothing is reserved, and the event sources share what there is.
 */
export type FunctionSize = {
  memoryMb: number
  timeoutS: number
  /** Of /tmp. 512 is free. */
  diskMb: number
}

export type JobSize = FunctionSize & {
  /** Messages in one run: they share its timeout. */
  batch: number
  /** Runs at once, at most (maximum concurrency of the event source). */
  concurrencyMax: number
}

export const jobSizes: Record<QueueName, JobSize> = {
  // A segment of 16 MB takes a second; five of them in one run fit its timeout many times.
  mux: { memoryMb: 512, timeoutS: 120, diskMb: 512, batch: 5, concurrencyMax: 50 },
  // FFmpeg decodes one picture; of 4K it wants 300 MB.
  thumbnail: { memoryMb: 1024, timeoutS: 60, diskMb: 512, batch: 1, concurrencyMax: 10 },
  // Copies up to 4 h a part from store to store: bound by the network, which grows with memory.
  export: { memoryMb: 1769, timeoutS: 900, diskMb: 512, batch: 1, concurrencyMax: 10 },
  // Decodes sound, writes the result to /tmp: two inputs and two results of 100 MB each, and room.
  beatsync: { memoryMb: 3008, timeoutS: 900, diskMb: 2048, batch: 1, concurrencyMax: 5 },
}

export const apiSize: FunctionSize = { memoryMb: 512, timeoutS: 29, diskMb: 512 } // API Gateway waits 30 s.
export const expireSize: FunctionSize = { memoryMb: 256, timeoutS: 600, diskMb: 512 }

/** A message is invisible for at least six timeouts of its function (Lambda's guide for SQS). */
export const visibilityS = ({ timeoutS }: FunctionSize): number => 6 * timeoutS

/** Prefixes of the bucket that each function reads, writes and deletes (DESIGN.md, Upload). */
export const prefixes: Record<
  QueueName | 'api' | 'expire',
  { read: string[]; write: string[]; remove: string[] }
> = {
  mux: { read: ['raw/', 'media/'], write: ['media/'], remove: [] },
  thumbnail: { read: ['media/'], write: ['media/'], remove: [] },
  export: { read: ['raw/', 'media/', 'exports/'], write: ['exports/'], remove: [] },
  beatsync: { read: ['uploads/', 'results/'], write: ['results/'], remove: [] },
  // What the API may read and write is what the URLs that it signs may.
  api: {
    read: ['raw/', 'media/', 'exports/', 'uploads/', 'results/'],
    write: ['raw/', 'uploads/', 'exports/'],
    remove: ['exports/'],
  },
  expire: {
    read: ['raw/', 'media/', 'exports/', 'uploads/', 'results/', 'tmp/'],
    write: [],
    remove: ['raw/', 'media/', 'exports/', 'uploads/', 'results/', 'tmp/'],
  },
}

/** Queues that each function sends to; API, export and expire send again what was lost or redriven, BeatSync waits its turn. */
export const sends: Record<QueueName | 'api' | 'expire', QueueName[]> = {
  mux: ['thumbnail', 'export'],
  thumbnail: [],
  export: ['mux', 'thumbnail', 'export'],
  beatsync: ['beatsync'],
  api: ['mux', 'thumbnail', 'export', 'beatsync'],
  expire: ['mux', 'thumbnail', 'export', 'beatsync'],
}
