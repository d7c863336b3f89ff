import { fullBox, u32, u32Max } from './box.ts'
import type { SampleTable } from './sample-table.ts'
import type { TrackTiming } from './timing.ts'

/** Decoding times, run-length coded: (count, duration). */
export function timeToSample(timing: TrackTiming): Uint8Array[] {
  const { durations } = timing
  return fullBox('stts', 0, 0, ...runLengths(durations.length, (i) => durations[i] ?? 0))
}

/** Composition offsets, run-length coded; nothing where picture order is decoding order. */
export function compositionOffsets(table: SampleTable, timing: TrackTiming): Uint8Array[] {
  const { first, end, shiftMs } = timing
  let flat = true
  for (let i = first; i < end && flat; i += 1) flat = table.compositionMs(i) + shiftMs === 0
  if (flat) return []
  return fullBox('ctts', 0, 0, ...runLengths(end - first, (i) => table.compositionMs(first + i) + shiftMs))
}

/** Sync samples, numbered from 1; nothing where all are. */
export function syncSamples(table: SampleTable, { first, end }: TrackTiming): Uint8Array[] {
  let count = 0
  for (let i = first; i < end; i += 1) if (table.isSync(i)) count += 1
  if (count === end - first) return []
  const view = new DataView(new ArrayBuffer(count * 4))
  for (let i = first, at = 0; i < end; i += 1) {
    if (!table.isSync(i)) continue
    view.setUint32(at, i - first + 1)
    at += 4
  }
  return fullBox('stss', 0, 0, u32(count), new Uint8Array(view.buffer))
}

export function sampleSizes(table: SampleTable, { first, end }: TrackTiming): Uint8Array[] {
  const view = new DataView(new ArrayBuffer((end - first) * 4))
  for (let i = first; i < end; i += 1) view.setUint32((i - first) * 4, table.sizeBytes(i))
  return fullBox('stsz', 0, 0, u32(0, end - first), new Uint8Array(view.buffer))
}

/** Samples per chunk, run-length coded: (first chunk from 1, samples, description 1). */
export function samplesToChunk(chunkSamples: Uint32Array): Uint8Array[] {
  const entries: number[] = []
  for (let i = 0; i < chunkSamples.length; i += 1) {
    const samples = chunkSamples[i] ?? 0
    if (i === 0 || samples !== chunkSamples[i - 1]) entries.push(i + 1, samples, 1)
  }
  return fullBox('stsc', 0, 0, u32(entries.length / 3), u32(...entries))
}

/** Chunk offsets, still zero: `fill` writes them when the size of everything before the media is known. */
export function chunkOffsets(
  count: number,
  wide: boolean,
): { box: Uint8Array[]; fill: (chunk: number, offset: number) => void } {
  const entry = wide ? 8 : 4
  const view = new DataView(new ArrayBuffer(count * entry))
  return {
    box: fullBox(wide ? 'co64' : 'stco', 0, 0, u32(count), new Uint8Array(view.buffer)),
    fill: (chunk, offset) => {
      if (wide) view.setUint32(chunk * 8, Math.floor(offset / (u32Max + 1)))
      view.setUint32(chunk * entry + (wide ? 4 : 0), offset >>> 0)
    },
  }
}

/** Counts the runs, then writes (count, value) into exactly as many bytes. */
function runLengths(length: number, valueAt: (i: number) => number): Uint8Array[] {
  let runs = 0
  for (let i = 0; i < length; i += 1) if (i === 0 || valueAt(i) !== valueAt(i - 1)) runs += 1
  const view = new DataView(new ArrayBuffer(runs * 8))
  let at = -8
  let count = 0
  for (let i = 0; i < length; i += 1) {
    if (i === 0 || valueAt(i) !== valueAt(i - 1)) {
      at += 8
      count = 0
      view.setUint32(at + 4, valueAt(i))
    }
    count += 1
    view.setUint32(at, count)
  }
  return [u32(runs), new Uint8Array(view.buffer)]
}
