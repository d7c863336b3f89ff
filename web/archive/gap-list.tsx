import type { JSX } from 'preact'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import { formatSpan, formatTime } from '../format.ts'
import { language, text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'

const shownMax = 100 // A torn recording may have thousands: the rest is in the API.

/** Every range without pictures, with its cause in words. */
export function GapList({ recording }: { recording: RecordingDetail }): JSX.Element {
  const words = text.value.archive
  const several = recording.streams.length > 1
  const gaps = recording.streams
    .flatMap(({ name, gaps: ofStream }) => ofStream.map((gap) => ({ ...gap, name })))
    .sort((a, b) => a.from - b.from)
  return (
    <section class="card">
      <h2>
        {words.gapsTitle} {gaps.length > 0 && <span class="count">{gaps.length}</span>}
      </h2>
      {gaps.length === 0 && (
        <p class="muted all-well">
          <Icon name="check" /> {recording.state === 'ready' ? words.gapsNone : words.gapsNoneYet}
        </p>
      )}
      <ul class="gap-list">
        {gaps.slice(0, shownMax).map((gap) => (
          <li key={`${gap.name}/${gap.from}/${gap.cause}`}>
            <span class="gap-sign" />
            <span>
              {words.gapLine(formatSpan(gap.to - gap.from), words.causes[gap.cause])}
              {gap.units !== undefined && gap.units > 0 && ` (${words.gapUnits(gap.units)})`}
            </span>
            <time class="muted">
              {several && `${gap.name} · `}
              {words.gapAt(formatTime(gap.from, language.value))}
            </time>
          </li>
        ))}
      </ul>
      {gaps.length > shownMax && <p class="muted small">+ {gaps.length - shownMax}</p>}
    </section>
  )
}
