import type { RecordingDetail, RecordingItem } from '../../shared/contract/api.ts'
import { dayKey, formatDateTime, formatDay } from '../format.ts'
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

export function titleOf(recording: { title?: string | undefined; from: number }): string {
  return recording.title ?? text.value.archive.untitled(formatDateTime(recording.from, language.value))
}

/** `Today`, `Yesterday`, or the date. */
export function dayTitle(ms: number, nowMs: number): string {
  const key = dayKey(ms)
  if (key === dayKey(nowMs)) return text.value.today
  if (key === dayKey(nowMs - 86_400_000)) return text.value.yesterday
  return formatDay(ms, language.value)
}
