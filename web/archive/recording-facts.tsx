import type { ComponentChildren, JSX } from 'preact'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import { formatBytes, formatDateTime, formatDuration, formatSpan } from '../format.ts'
import { language, text } from '../text/text.ts'
import { Facts } from '../ui/parts.tsx'

type FactsProps = { recording: RecordingDetail; isThere: boolean }

export function RecordingFacts({ recording, isThere }: FactsProps): JSX.Element {
  return (
    <section class="card">
      <Facts rows={rowsOf(recording, isThere)} />
    </section>
  )
}

function rowsOf(recording: RecordingDetail, isThere: boolean): [string, ComponentChildren][] {
  const words = text.value.archive
  const { from, to, streams } = recording
  const units = streams.reduce((sum, stream) => sum + stream.units, 0)
  const damaged = streams.reduce((sum, stream) => sum + (stream.damaged ?? 0), 0)
  const bytes = streams.flatMap((stream) => stream.export.files).reduce((sum, file) => sum + file.mp4Bytes, 0)
  return [
    [words.begun, formatDateTime(from, language.value)],
    [words.ended, to === null ? words.stillOpen : formatDateTime(to, language.value)],
    ...(to === null ? [] : [[words.duration, formatDuration(to - from)] as [string, string]]),
    ...(isThere ? [[words.pictures, units.toLocaleString()] as [string, string]] : []), // Counted in the archive.
    ...(damaged > 0 ? [[words.damaged, damaged.toLocaleString()] as [string, string]] : []),
    ...clockRows(recording),
    ...(bytes > 0 ? [[words.size, formatBytes(bytes)] as [string, string]] : []),
    [words.agent, recording.agent],
    [words.id, <code key="id">{recording.id}</code>],
  ]
}

/** How far the times can be trusted: one line for all streams when they agree, else one each. */
function clockRows({ streams }: RecordingDetail): [string, string][] {
  const words = text.value.archive
  const known = streams.flatMap(({ name, clock }) => {
    if (!clock) return []
    const bound = formatSpan(Math.max(1, clock.boundMs))
    return [{ name, words: clock.source === 'device' ? words.clockText(bound) : words.clockArrival(bound) }]
  })
  const first = known[0]
  if (!first) return []
  if (known.every((clock) => clock.words === first.words)) return [[words.clock, first.words]]
  return known.map((clock) => [`${words.clock}, ${clock.name}`, clock.words])
}
