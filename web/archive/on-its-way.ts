import type { RecordingDetail, RecordingItem } from '../../shared/contract/api.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { cloud } from '../api.ts'
import { nowMs } from '../clock.ts'
import { ApiError } from '../http.ts'
import { recordings } from '../model.ts'

/**
 * The archive learns of a recording when it has ended. Until then, and for the moment in which it is on its way, only
 * the recorder knows it: the page shows it all the same.
 */

const onItsWayMs = 15_000 // Longer than a claim takes to arrive; what is longer on its way, the upload's card tells.

const stateOf = ({ state }: Recording): RecordingItem['state'] => (state === 'closed' ? 'processing' : state)

/** What goes on or has just ended, and is not among `there`; newest first. */
export function onTheirWay(known: readonly Recording[], there: ReadonlySet<string>): RecordingItem[] {
  return known
    .filter(({ id, to }) => !there.has(id) && (to === null || to > nowMs() - onItsWayMs))
    .map((recording) => {
      const streams = recording.streams.map(({ name }) => name)
      return { ...headOf(recording), state: stateOf(recording), streams }
    })
    .sort((a, b) => b.from - a.from)
}

function headOf({ id, agent, title, labels, from, to, createdAt }: Recording) {
  const named = title === undefined ? {} : { title }
  return { id, agent, ...named, labels, from, to, createdAt, hold: false, gapCount: 0 }
}

function detailOf(recording: Recording): RecordingDetail {
  const streams = recording.streams.map(({ name, from, to, gaps }) => {
    return { name, from, to, units: 0, gaps, segments: [], export: { files: [] } }
  })
  return { ...headOf(recording), state: stateOf(recording), streams }
}

/** A recording, and whether the archive has it: `false` while the recorder alone knows it. */
export type Found = { recording: RecordingDetail; isThere: boolean }

/** The recorder's word for what goes on, the archive's for what has ended. Throws `ApiError` 404 when neither knows it. */
export async function findRecording(id: string, signal: AbortSignal): Promise<Found> {
  const known = () => recordings.value.value?.find((recording) => recording.id === id)
  const open = known()
  if (open && open.state !== 'closed') return { recording: detailOf(open), isThere: false }
  try {
    return { recording: await cloud.recording(id, signal), isThere: true }
  } catch (cause) {
    if (!(cause instanceof ApiError) || cause.status !== 404) throw cause
    if (!recordings.value.value) await recordings.refresh()
    const mine = known()
    if (!mine || (mine.to !== null && mine.to < nowMs() - onItsWayMs)) throw cause
    return { recording: detailOf(mine), isThere: false }
  }
}
