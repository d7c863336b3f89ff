import type { RecordingDetail, RecordingItem } from '../../shared/contract/api.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { cloud } from '../api.ts'
import { nowMs } from '../clock.ts'
import { recordings } from '../model.ts'

/**
 * The archive learns of a recording when it has ended. Until then, and for the moment in which it is on its way, only
 * the recorder knows it: the page shows it all the same.
 */

const onItsWayMs = 15_000 // Longer than a claim takes to arrive; what is longer on its way, the upload's card tells.

const stateOf = ({ state }: Recording): RecordingItem['state'] => (state === 'closed' ? 'processing' : state)

const isNew = ({ to }: Recording): boolean => to === null || to > nowMs() - onItsWayMs

const arrived = new Set<string>() // Seen in the archive: what is not there any more was deleted, and is not on its way.

/** What goes on or has just ended, and is not among `there`; newest first. */
export function onTheirWay(known: readonly Recording[], there: ReadonlySet<string>): RecordingItem[] {
  for (const { id } of known) if (there.has(id)) arrived.add(id)
  return known
    .filter((recording) => !arrived.has(recording.id) && isNew(recording))
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
  if (!recordings.value.value && !recordings.error.value) await recordings.refresh()
  const mine = recordings.value.value?.find((recording) => recording.id === id)
  if (mine && !(await hasArrived(mine, signal))) return { recording: detailOf(mine), isThere: false }
  return { recording: await cloud.recording(id, signal), isThere: true }
}

/** One that has just ended is asked for by the list, where it is no error that it is not there yet. */
async function hasArrived(mine: Recording, signal: AbortSignal): Promise<boolean> {
  const { id, from, state } = mine
  if (state !== 'closed') return false
  if (arrived.has(id) || !isNew(mine)) return true
  const { recordings: there } = await cloud.recordings({ from, to: from + 1 }, signal)
  if (there.some((recording) => recording.id === id)) arrived.add(id)
  return arrived.has(id)
}
