import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { FlvOutput } from './flv.ts'
import { FlvSource } from './flv.ts'
import type { Moment } from './flv-units.ts'
import { MpegTsSource } from './mpegts.ts'

/** What turns the bytes of a source into units. */
export type UnitReader = { push(bytes: Uint8Array, at: Moment): void; end(at: Moment): void }

/** `other`: FFmpeg is asked. `mp4-late`: MP4 whose description stands behind the media. */
export type ByteFormat = 'flv' | 'mpegts' | 'mp4-late' | 'other'

const packetBytes = 188
/** With this many bytes the format is known. */
export const sniffBytes = 2 * packetBytes + 1

/** By what it begins with: what a server says of it is often wrong. */
export function sniff(bytes: Uint8Array): Exclude<ByteFormat, 'mp4-late'> {
  if (bytes[0] === 0x46 && bytes[1] === 0x4c && bytes[2] === 0x56) return 'flv' // "FLV"
  const isTs = [0, packetBytes, 2 * packetBytes].every((at) => at >= bytes.length || bytes[at] === 0x47)
  return isTs && bytes.length > packetBytes ? 'mpegts' : 'other'
}

export function openReader(
  format: 'flv' | 'mpegts',
  clock: Clock,
  output: FlvOutput,
  nextEpoch: () => number,
): UnitReader {
  const now = momentOf(clock)
  return format === 'flv' ? flvReader(now, output, nextEpoch) : new MpegTsSource(now, output, nextEpoch)
}

function flvReader(now: Moment, output: FlvOutput, nextEpoch: () => number): UnitReader {
  const source = new FlvSource(now, output, nextEpoch)
  return {
    push: (bytes, at) => source.push(bytes, at),
    end: () => {
      try {
        source.end()
      } catch (cause) {
        throw new AppError('Unavailable', 'the stream ended inside of a tag', { cause })
      }
    },
  }
}

export function momentOf(clock: Clock): Moment {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() }
}
