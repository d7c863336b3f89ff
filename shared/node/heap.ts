import { setFlagsFromString } from 'node:v8'

/**
 * How V8 is to collect garbage in a process most of whose memory are pictures: buffers outside of V8's heap, as many MB
 * a second as pass (docs/decisions/0011-how-v8-collects.md, with the figures). To be called before all else.
 *
 * V8 13 counts each byte that was allocated in buffers since it last marked, dead or alive, and marks the whole heap for
 * every few MB of them, on the main thread in steps of 5 to 10 ms. With the first flag it counts what buffers hold (V8
 * 14.8 does so by itself, and has no such flag); heap and buffers together may then grow by `growPercent` of what was
 * alive before V8 marks again. It marks beside the main thread, which is cheap, but on two cores the main thread waits
 * for 10 to 14 ms at its end; with `isPrompt` it marks on the main thread, in steps of at most half a millisecond.
 */
export function tuneHeap({ growPercent, isPrompt }: { growPercent: number; isPrompt: boolean }): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit')
  setFlagsFromString(`--heap-growing-percent=${growPercent}`)
  if (isPrompt) setFlagsFromString('--no-concurrent-marking')
}
