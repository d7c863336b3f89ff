import type { RecordingReport, StreamInfo } from '../../../shared/contract/agent-api.ts'
import type { Recording } from '../../../shared/contract/recording.ts'
import * as messages from './messages.ts'

/** Answers of `Commands` as messages. */

export function reportMessage({
  id,
  state,
  from,
  to,
  streams,
}: RecordingReport): messages.RecordingReportMessage {
  const at = messages.timestampOf
  return {
    ...{ recordingId: id, state, from: at(from) },
    ...(to === null ? {} : { to: at(to) }),
    streams: streams.map(({ first, last, gaps, gapMs, clock, ...counts }) => ({
      ...counts,
      ...(first === undefined ? {} : { first: at(first) }),
      ...(last === undefined ? {} : { last: at(last) }),
      gaps: gaps.map(({ from, to, cause, units = 0 }) => ({ from: at(from), to: at(to), cause, units })),
      missing: at(gapMs),
      ...(clock ? { clockBoundMs: clock.boundMs, clockSource: clock.source } : {}),
    })),
  }
}

export function stopped({ id, state, streams }: Recording): messages.StopRecordingResponse {
  return {
    recordingId: id,
    state,
    streams: streams.map(({ name, from, to, segments, gaps }) => ({
      name,
      from: messages.timestampOf(from),
      ...(to === null ? {} : { to: messages.timestampOf(to) }),
      segments: segments.length,
      gaps: gaps.length,
    })),
  }
}

export function streamMessage(info: StreamInfo): messages.StreamMessage {
  const { name, kind, state, video, audio, fps, bitsPerSecond, viewers, lastUnitAt, recordings } = info
  return {
    ...{ name, state, fps, bitsPerSecond, viewers, recordings },
    ...(kind === undefined ? {} : { kind }),
    ...(video ? { videoCodec: video.codec, width: video.width, height: video.height } : {}),
    ...(audio ? { audioCodec: audio.codec } : {}),
    ...(lastUnitAt === undefined ? {} : { lastUnitAt: messages.timestampOf(lastUnitAt) }),
  }
}
