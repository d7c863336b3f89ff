import type { RecordingDetail, RecordingItem } from '../../shared/contract/api.ts'
import { dayKey, formatDay } from '../format.ts'
import { language, text } from '../text/text.ts'
import type { Tone } from '../ui/parts.tsx'

export type RecordingState = RecordingItem['state'] | 'uploading'

export const stateTones: Record<RecordingState, Tone> = {
  armed: 'plain',
  open: 'rec',
  uploading: 'busy',
  processing: 'busy',
  ready: 'ok',
  failed: 'bad',
}

/** A closed recording whose segments have not all arrived is still being uploaded. */
export function stateOf(recording: RecordingDetail): RecordingState {
  if (recording.state !== 'processing') return recording.state
  const states = recording.streams.flatMap(({ segments }) => segments.map(({ state }) => state))
  return states.some((state) => state === 'missing') ? 'uploading' : 'processing'
}

/** Its title, else the cameras. */
export function titleOf(
  recording: Pick<RecordingItem, 'title'> & { streams: (string | { name: string })[] },
): string {
  const names = recording.streams.map((stream) => (typeof stream === 'string' ? stream : stream.name))
  return recording.title ?? names.join(', ')
}

/** `Today`, `Yesterday`, or the date. */
export function dayTitle(ms: number, nowMs: number): string {
  const key = dayKey(ms)
  if (key === dayKey(nowMs)) return text.value.today
  if (key === dayKey(nowMs - 86_400_000)) return text.value.yesterday
  return formatDay(ms, language.value)
}
