import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { HistoryControl, HistoryInfo } from '../../shared/contract/vehicle-api.ts'
import { agent } from '../api.ts'
import { mayOperate, streams, vehicles } from '../model.ts'
import { hrefOf } from '../route.ts'
import { language, text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Button, Pill, type Tone } from '../ui/parts.tsx'
import { PositionBar } from './position-bar.tsx'
import { Screen } from './screen.tsx'
import { ScreenActions } from './screen-actions.tsx'
import { normalSpeed, type SpeedChoice, SpeedSelect } from './speed-select.tsx'
import { formatIn, timeIn } from './zone-time.ts'

type PlayerProps = { history: HistoryInfo; zoneMs: number }

const tones: Record<HistoryInfo['state'], Tone> = {
  waiting: 'busy',
  playing: 'ok',
  paused: 'warn',
  over: 'plain',
}

/** A range that plays, or has played: its picture, where it is, and what may be done with it. */
export function HistoryPlayer({ history, zoneMs }: PlayerProps): JSX.Element {
  const screen = useRef<HTMLDivElement>(null)
  const [speed, setSpeed] = useState<SpeedChoice>(normalSpeed)
  const [sound, setSound] = useState(false)
  const words = text.value.vehicles
  const hasSound = streams.value.value?.find(({ name }) => name === history.stream)?.audio !== undefined
  const { stream, state, from, to, recording } = history
  const isOver = state === 'over'
  const shown = {
    paused: state === 'paused',
    rate: speed.rate,
    over: isOver,
    sound: sound && speed.id === normalSpeed.id,
  }
  return (
    <section class="tile channel-tile" aria-label={words.history}>
      <div class="tile-screen" ref={screen}>
        <Screen
          name={stream}
          waiting={state === 'waiting' ? words.calling : words.connecting}
          goesOn={goesOn(isOver)}
          history={shown}
        />
        <div class="tile-badges">
          <Pill tone={tones[state]}>{words.playerState[state]}</Pill>
          {recording !== undefined && !isOver && (
            <span class="pill pill-rec">
              <span class="record-dot record-dot-on" />
              {text.value.live.rec}
            </span>
          )}
        </div>
      </div>
      <div class="history-foot">
        <p class="muted small">
          {formatIn(from, zoneMs, language.value)} – {timeIn(to, zoneMs)}
        </p>
        <PositionBar
          history={history}
          zoneMs={zoneMs}
          seek={(at) => void control(history, { action: 'seek', at })}
        />
        <div class="actions">
          {!isOver && mayOperate.value && <Controls {...{ history, speed, setSpeed }} />}
          {!isOver && hasSound && (
            <Button
              icon="sound"
              label={words.soundHint}
              pressed={shown.sound}
              disabled={speed.id !== normalSpeed.id}
              onClick={() => setSound(!sound)}
            >
              {text.value.live.audio}
            </Button>
          )}
          <ScreenActions screen={screen} name={stream} />
        </div>
        <Outcome history={history} />
      </div>
    </section>
  )
}

/** The server ends the stream of a range that is over; anything else is worth another try. */
const goesOn = (isOver: boolean) => (reason: string) => !isOver && reason !== 'ended'

function control({ vehicle }: HistoryInfo, action: HistoryControl): Promise<boolean> {
  return attempt(async () => {
    await agent.controlHistory(vehicle, action)
    await vehicles.refresh()
  })
}

type ControlsProps = {
  history: HistoryInfo
  speed: SpeedChoice
  setSpeed: (speed: SpeedChoice) => void
}

function Controls({ history, speed, setSpeed }: ControlsProps): JSX.Element {
  const words = text.value.vehicles
  const isPaused = history.state === 'paused'
  const stop = (
    <Button icon="stop" onClick={() => void control(history, { action: 'stop' })}>
      {words.stop}
    </Button>
  )
  if (history.recording !== undefined) return stop
  const turn = async (): Promise<void> => {
    if (await control(history, { action: isPaused ? 'resume' : 'pause' })) setSpeed(normalSpeed)
  }
  const change = async (choice: SpeedChoice): Promise<void> => {
    if (await control(history, choice.action)) setSpeed(choice)
  }
  return (
    <>
      <Button
        kind="primary"
        icon={isPaused ? 'play' : 'pause'}
        disabled={history.state === 'waiting'}
        onClick={() => void turn()}
      >
        {isPaused ? words.resume : words.pause}
      </Button>
      {stop}
      <SpeedSelect
        speed={speed}
        disabled={history.state !== 'playing'}
        onChange={(choice) => void change(choice)}
      />
    </>
  )
}

/** Why it is over, and where the recording of it is. */
function Outcome({ history: { end, recording } }: { history: HistoryInfo }): JSX.Element | null {
  const words = text.value.vehicles
  return (
    <>
      {recording !== undefined && end === undefined && <p class="muted small">{words.recordingRange}</p>}
      {end !== undefined && <p role="status">{words.over[end]}</p>}
      {recording !== undefined && <a href={hrefOf('archive', recording)}>{words.showRecording}</a>}
    </>
  )
}
