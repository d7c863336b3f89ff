import { startRecording } from '../../../shared/contract/agent-api.ts'
import { isName } from '../../../shared/contract/segment.ts'
import { AppError } from '../../../shared/error.ts'
import type { StartRecordingRequest } from '../commands-port.ts'
import { type StartRecordingRequest as Message, millisecondsOf, type Source } from './messages.ts'

export type WantedSource = { name: string; uri?: undefined } | { uri: string; name?: undefined }
/** `media` chooses units, `camera` a track of a camera that is given by its address. */
export type WantedTrack = { media?: 'video' | 'audio'; camera?: 'main' | 'sub' | 'third' }

export function wantedSource({ name, uri }: Source): WantedSource {
  if (uri) return { uri }
  if (!name) throw invalid('give `name` or `uri`', '请给出 name 或 uri。')
  if (!isName(name)) throw invalid('this is not a name of a stream', '流名称无效。')
  return { name }
}

export function wantedTrack(track: string, { uri }: WantedSource): WantedTrack {
  if (track === '') return {}
  if (track === 'video' || track === 'audio') return { media: track }
  if (track !== 'main' && track !== 'sub' && track !== 'third') {
    throw invalid('`track` is one of video, audio, main, sub, third', 'track 参数无效。')
  }
  if (uri === undefined) {
    throw invalid(
      `\`track: ${track}\` goes with \`uri\`: a stream has one track of its camera`,
      'track 参数无效。',
    )
  }
  return { camera: track }
}

/** An address may stand among the streams: it is left to the caller to open it. */
export function isAddress(stream: string): boolean {
  return stream.includes('://')
}

/** With the names of the streams that were addresses. */
export function recordingRequest(message: Message, streams: string[]): StartRecordingRequest {
  const { recordingId, startTime, duration, title, labels, requireAll, require } = message
  const required = require.map((stream) => streams[message.streams.indexOf(stream)])
  if (required.includes(undefined))
    throw invalid('`require` names what is not in `streams`', 'require 参数无效。')
  if (recordingId !== '' && !isName(recordingId)) {
    throw invalid('`recording_id` is no name: use 1 to 64 of A-Z a-z 0-9 . _ -', '录像编号无效。')
  }
  const parsed = startRecording.safeParse({
    streams,
    labels,
    ...(title === '' ? {} : { title }),
    ...(startTime ? { from: millisecondsOf(startTime) } : {}),
    ...(duration ? { durationSeconds: millisecondsOf(duration) / 1000 } : {}),
  })
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw invalid(`${issue?.path.join('.') || 'request'}: ${issue?.message}`, '请求参数无效。')
  }
  return {
    streams,
    labels,
    ...(recordingId === '' ? {} : { id: recordingId }),
    ...(startTime ? { from: millisecondsOf(startTime) } : {}),
    ...(duration ? { durationMs: millisecondsOf(duration) } : {}),
    ...(title === '' ? {} : { title }),
    ...(requireAll || required.length > 0
      ? { require: requireAll ? 'all' : required.filter((name) => name !== undefined) }
      : {}),
  }
}

export function invalid(message: string, zh: string): AppError {
  return new AppError('InvalidArgument', message, { zh })
}
