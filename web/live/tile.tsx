import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { formatBitRate, formatDuration } from '../format.ts'
import { mayOperate, openRecordings, streams } from '../model.ts'
import { goTo, route } from '../route.ts'
import { isSilent } from '../status/alarms.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { Button, Pill } from '../ui/parts.tsx'
import { useSeconds } from '../ui/ticker.ts'
import { Details } from './details.tsx'
import { Picture } from './picture.tsx'
import { startRecording, stopRecording } from './recording-actions.ts'
import { selection, toggleSelected } from './selection.tsx'
import { useInView } from './visible.ts'

const doubleClickMs = 500

/** The stream that is shown large (`#/live/NAME`): browser history opens and closes it. */
function largeName(): string | undefined {
  const { section, item } = route.value
  const here = section === 'live' && streams.value.value?.some(({ name }) => name === item)
  return here ? item : undefined // One that is gone gives the wall back.
}

export function Tile({ stream }: { stream: StreamInfo }): JSX.Element {
  const element = useRef<HTMLElement>(null)
  const inView = useInView(element)
  const large = largeName() === stream.name
  const covered = largeName() !== undefined && !large
  useCloseOnEscape(large)
  return (
    <article
      ref={element}
      class={large ? 'tile tile-large' : 'tile'}
      aria-label={stream.name}
      inert={covered}
      data-state={stream.state}
    >
      <div class="tile-screen">
        <Picture stream={stream} active={inView && !covered} large={large} />
        <Badges stream={stream} />
        {!large && (
          <a class="tile-open" href={`#/live/${encodeURIComponent(stream.name)}`}>
            <span class="unseen">{text.value.live.open(stream.name)}</span>
          </a>
        )}
        {large && (
          <div class="tile-close">
            <Button icon="close" label={text.value.close} onClick={() => goTo('live')} />
          </div>
        )}
        <SelectBox name={stream.name} />
      </div>
      <footer class="tile-foot">
        <div class="tile-words">
          <h2 title={stream.name}>{stream.name}</h2>
          <Figures stream={stream} />
        </div>
        {mayOperate.value && <RecordButtons stream={stream} />}
      </footer>
      {large && <Details stream={stream} screen={element} />}
    </article>
  )
}

function useCloseOnEscape(large: boolean): void {
  useEffect(() => {
    if (!large) return
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && !document.fullscreenElement) goTo('live')
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [large])
}

function SelectBox({ name }: { name: string }): JSX.Element | null {
  if (!selection.value) return null
  return (
    <label class="tile-select">
      <input
        type="checkbox"
        checked={selection.value.has(name)}
        aria-label={text.value.live.selectAria(name)}
        onChange={() => toggleSelected(name)}
      />
    </label>
  )
}

function Badges({ stream }: { stream: StreamInfo }): JSX.Element {
  const words = text.value.live
  const silent = isSilent(stream)
  return (
    <div class="tile-badges">
      <Pill tone={silent ? 'warn' : stream.state === 'live' ? 'ok' : 'plain'}>
        <span class="state-dot" />
        {silent ? words.silent : words.state[stream.state]}
      </Pill>
      <RecordingBadge stream={stream} />
      {stream.viewers > 0 && (
        <span class="pill pill-viewers" title={words.viewers(stream.viewers)}>
          <Icon name="eye" />
          {stream.viewers}
        </span>
      )}
    </div>
  )
}

function RecordingBadge({ stream }: { stream: StreamInfo }): JSX.Element | null {
  const now = useSeconds()
  const mine = openRecordings.value.find(
    ({ id, state }) => state === 'open' && stream.recordings.includes(id),
  )
  if (!mine) return null
  const elapsed = formatDuration(now.value - mine.from)
  return (
    <span class="pill pill-rec" role="img" aria-label={text.value.live.recAria(elapsed)}>
      <span class="record-dot record-dot-on" />
      {text.value.live.rec} <span class="elapsed">{elapsed}</span>
    </span>
  )
}

/** `1920×1080 · 29.8 fps · 4.1 Mb/s` */
function Figures({ stream }: { stream: StreamInfo }): JSX.Element {
  const { video, fps, bitsPerSecond } = stream
  const now = useSeconds()
  if (stream.state === 'waiting' || isSilent(stream)) {
    const since = stream.lastUnitAt
    const words = text.value.live
    return (
      <p class="figures">
        {since === undefined ? words.noneYet : words.lastSeen(formatDuration(now.value - since))}
      </p>
    )
  }
  return (
    <p class="figures">
      {video && video.width > 0 && (
        <span>
          {video.width}×{video.height}
        </span>
      )}
      <span>{fps.toFixed(1)} fps</span>
      <span>{formatBitRate(bitsPerSecond)}</span>
    </p>
  )
}

function RecordButtons({ stream }: { stream: StreamInfo }): JSX.Element {
  const [busy, setBusy] = useState(false)
  const words = text.value.live
  // A second click of a double click must not begin another recording, nor end the first.
  const act = async (action: () => Promise<unknown>): Promise<void> => {
    setBusy(true)
    await Promise.all([action(), new Promise((resolve) => setTimeout(resolve, doubleClickMs))])
    setBusy(false)
  }
  // Only a recording of this stream alone is stopped from its tile: a group is stopped from its line above.
  const own = openRecordings.value.find(
    ({ id, streams }) => stream.recordings.includes(id) && streams.length === 1,
  )
  return (
    <div class="tile-actions">
      <Button
        icon="rewind"
        label={`${words.past}: ${words.pastAria(stream.name)}`}
        disabled={busy}
        onClick={() => void act(() => startRecording([stream.name], { past: true }))}
      >
        {words.past}
      </Button>
      {own ? (
        <Button
          icon="stop"
          kind="record"
          label={words.stopAria(stream.name)}
          disabled={busy}
          onClick={() => void act(() => stopRecording(own.id))}
        >
          {words.stop}
        </Button>
      ) : (
        <Button
          icon="record"
          kind="record"
          label={words.recordAria(stream.name)}
          disabled={busy}
          onClick={() => void act(() => startRecording([stream.name]))}
        >
          {words.record}
        </Button>
      )}
    </div>
  )
}
