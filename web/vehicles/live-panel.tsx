import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { formatDuration } from '../format.ts'
import { startRecording, stopRecording } from '../live/recording-actions.ts'
import { mayOperate, openRecordings, recordings, vehicles } from '../model.ts'
import { useResources } from '../poll.ts'
import { text } from '../text/text.ts'
import { Button } from '../ui/parts.tsx'
import { useSeconds } from '../ui/ticker.ts'
import { Screen } from './screen.tsx'
import { ScreenActions } from './screen-actions.tsx'

/** The live picture of a channel: looking at it calls the vehicle. */
export function LivePanel({ name }: { name: string }): JSX.Element {
  useResources(recordings)
  const screen = useRef<HTMLDivElement>(null)
  return (
    <section class="tile channel-tile" aria-label={text.value.vehicles.live}>
      <div class="tile-screen" ref={screen}>
        <Screen name={name} waiting={waitingWords(name)} goesOn={isNoRefusal} />
        <Recording name={name} />
      </div>
      <footer class="tile-foot">
        <ScreenActions screen={screen} name={name} />
        {mayOperate.value && <RecordButton name={name} />}
      </footer>
    </section>
  )
}

/** A vehicle that did not come is called again by hand: each call costs its platform and its modem something. */
function isNoRefusal(reason: string): boolean {
  return reason !== 'no-source' && reason !== 'no-key-frame'
}

function waitingWords(name: string): string {
  const words = text.value.vehicles
  const { connected = [], commands } = vehicles.value.value ?? {}
  if (connected.some((channel) => channel.name === name)) return words.connecting
  return commands ? words.calling : words.awaiting
}

const openOf = (name: string) =>
  openRecordings.value.find(({ streams }) => streams.length === 1 && streams[0]?.name === name)

function Recording({ name }: { name: string }): JSX.Element | null {
  const now = useSeconds()
  const own = openOf(name)
  if (own?.state !== 'open') return null
  const elapsed = formatDuration(now.value - own.from)
  return (
    <div class="tile-badges">
      <span class="pill pill-rec" role="img" aria-label={text.value.live.recAria(elapsed)}>
        <span class="record-dot record-dot-on" />
        {text.value.live.rec} <span class="elapsed">{elapsed}</span>
      </span>
    </div>
  )
}

function RecordButton({ name }: { name: string }): JSX.Element {
  const words = text.value.live
  const own = openOf(name)
  if (own) {
    return (
      <Button
        icon="stop"
        kind="record"
        label={words.stopAria(name)}
        onClick={() => void stopRecording(own.id)}
      >
        {words.stop}
      </Button>
    )
  }
  return (
    <Button
      icon="record"
      kind="record"
      label={words.recordAria(name)}
      onClick={() => void startRecording([name])}
    >
      {words.record}
    </Button>
  )
}
