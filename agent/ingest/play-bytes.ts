import { cameraFileLeadMs, cameraHeadBytesMax, cameraLeadMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type ByteFormat, momentOf, openReader, sniff, sniffBytes } from './byte-source.ts'
import { mp4Order } from './mp4-order.ts'
import { Pacer } from './pacer.ts'
import { patientBytes } from './patient-bytes.ts'
import { type Remux, remuxWhole } from './remux.ts'
import type { SourceOutput } from './source.ts'

export type BytesToPlay = {
  bytes: AsyncIterable<Uint8Array>
  /** A file, not a live stream: played as if it were filmed now. */
  hasEnd: boolean
  clock: Clock
  output: SourceOutput
  remux: Remux
  /** Numbers that are this source's alone, over its connections. */
  nextEpoch: () => number
  signal: AbortSignal
}

/** FLV, MPEG-TS, or what FFmpeg can read → units, at most as fast as they play. Resolves at the end. */
export async function playBytes(given: BytesToPlay): Promise<void> {
  const { signal, remux, output, clock } = given
  const iterator = patientBytes(given.bytes, clock)
  try {
    const { head, format } = await readHead(iterator)
    const all = resume(head, iterator)
    if (format !== 'mp4-late') output.connected() // That one is fetched before it is played.
    if (format === 'flv' || format === 'mpegts') await playAs(format, all, given)
    else if (format === 'mp4-late') await playAs('mpegts', remuxWhole(remux, all, signal), given)
    else await playAs('mpegts', remux(all, signal), given)
  } finally {
    await iterator.return(undefined)
  }
}

type Head = { head: Buffer; format: ByteFormat }

async function readHead(iterator: AsyncIterator<Uint8Array>): Promise<Head> {
  let head = Buffer.alloc(0)
  for (;;) {
    const isFull = head.length >= cameraHeadBytesMax
    const order = head.length < sniffBytes ? undefined : mp4Order(head)
    const format = head.length < sniffBytes ? undefined : sniff(head)
    if (format !== undefined && (format !== 'other' || order !== undefined || isFull)) {
      return { head, format: format === 'other' && order === 'late' ? 'mp4-late' : format }
    }
    const { done, value } = await iterator.next()
    if (done) return { head, format: sniff(head) }
    head = Buffer.concat([head, value])
  }
}

async function* resume(head: Uint8Array, iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
}

const sliceBytes = 8192 // Of a file: a large chunk of low quality is many seconds.

async function playAs(
  format: 'flv' | 'mpegts',
  bytes: AsyncIterable<Uint8Array>,
  { hasEnd, clock, output, nextEpoch, signal }: BytesToPlay,
): Promise<void> {
  const pacer = new Pacer(clock, hasEnd ? cameraFileLeadMs : cameraLeadMs)
  let hasUnits = false
  const taken = {
    unit: (unit: Parameters<SourceOutput['unit']>[0]) => {
      if (!hasUnits) output.connected()
      hasUnits = true
      output.unit(unit)
      pacer.seen(unit)
    },
    gap: (gap: Parameters<SourceOutput['gap']>[0]) => output.gap(gap),
    refused: () => undefined, // It is in the gap that follows.
  }
  const reader = openReader(format, clock, taken, nextEpoch)
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += hasEnd ? sliceBytes : chunk.length) {
      signal.throwIfAborted()
      reader.push(hasEnd ? chunk.subarray(at, at + sliceBytes) : chunk, momentOf(clock))
      await pacer.wait(signal)
    }
  }
  reader.end(momentOf(clock))
}
