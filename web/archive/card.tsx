import type { JSX } from 'preact'
import type { RecordingItem } from '../../shared/contract/api.ts'
import { formatDuration, formatTime } from '../format.ts'
import { hrefOf } from '../route.ts'
import { language, text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { Pill } from '../ui/parts.tsx'
import { useSeconds } from '../ui/ticker.ts'
import { Thumbnail } from './thumbnail.tsx'
import { stateTones, titleOf } from './words.ts'

const namesShown = 3

export function RecordingCard({ recording }: { recording: RecordingItem }): JSX.Element {
  const words = text.value.archive
  const { id, state, streams } = recording
  const title = titleOf(recording)
  return (
    <a class="recording-card" href={hrefOf('archive', id)} aria-label={words.open(title)} data-state={state}>
      <div class="card-picture">
        <Thumbnail key={state} recording={recording} />
        <div class="card-badges">
          {state !== 'ready' && (
            <Pill tone={stateTones[state]}>
              {state === 'open' && <span class="record-dot record-dot-on" />}
              {words.state[state]}
            </Pill>
          )}
          {recording.gapCount > 0 && (
            <span class="pill pill-warn" title={words.gapsHint}>
              {words.gapCount(recording.gapCount)}
            </span>
          )}
          {recording.hold && (
            <span class="pill pill-plain" title={words.onHold}>
              <Icon name="pin" />
            </span>
          )}
        </div>
        <Length recording={recording} />
      </div>
      <div class="card-words">
        <h3>{title}</h3>
        <p class="muted">
          <time>{formatTime(recording.from, language.value)}</time>
          {recording.title !== undefined && (
            <span class="card-streams">
              {streams.slice(0, namesShown).join(', ')}
              {streams.length > namesShown && ` +${streams.length - namesShown}`}
            </span>
          )}
        </p>
      </div>
    </a>
  )
}

function Length({ recording }: { recording: RecordingItem }): JSX.Element | null {
  if (recording.state === 'armed') return null
  if (recording.to !== null) {
    return <span class="card-length">{formatDuration(recording.to - recording.from)}</span>
  }
  return <GrowingLength from={recording.from} />
}

function GrowingLength({ from }: { from: number }): JSX.Element {
  const now = useSeconds()
  return <span class="card-length">{formatDuration(now.value - from)}</span>
}
