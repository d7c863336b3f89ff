import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { formatCodec, formatSpan } from '../format.ts'
import { canDecode, type LiveState, playLive } from '../live/play-live.ts'
import { Stills } from '../live/stills.tsx'
import { pageVisible } from '../live/visible.ts'
import { streams } from '../model.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { Button } from '../ui/parts.tsx'
import { holdOpen } from './hold-open.ts'

export type ScreenProps = {
  /** Of the stream. */
  name: string
  /** What is said until a picture comes. */
  waiting: string
  /** Whether to try again after an end with this word of the server. */
  goesOn: (reason: string) => boolean
  /** Of history: it is watched on while the page is out of sight, for a range that nobody watches is ended. */
  history?: { paused: boolean; rate: number; over: boolean; sound: boolean }
}

/** The picture of a vehicle's stream, which may have to be called first; words until it comes, and why when it does not. */
export function Screen(props: ScreenProps): JSX.Element {
  const stream = streams.value.value?.find(({ name }) => name === props.name)
  const wanted = props.history ? !props.history.over : pageVisible.value
  if (!canDecode(stream?.video?.codecString)) {
    return <Undecodable name={props.name} codec={stream?.video?.codec ?? ''} wanted={wanted} />
  }
  return <Video {...props} hasSound={stream?.audio !== undefined} wanted={wanted} />
}

type VideoProps = ScreenProps & { hasSound: boolean; wanted: boolean }

function Video({ name, waiting, goesOn, history, hasSound, wanted }: VideoProps): JSX.Element {
  const video = useRef<HTMLVideoElement>(null)
  const [state, setState] = useState<LiveState>({ is: 'connecting' })
  const [calls, setCalls] = useState(0)
  const decide = useRef(goesOn)
  decide.current = goesOn
  const isOver = history?.over ?? false
  const [wasOver] = useState(isOver)
  // A range that came to its end keeps its last picture: the server closes it, not the page.
  const silent = history?.sound === false
  const plays = wanted || (isOver && !wasOver)
  useEffect(() => {
    const element = video.current
    if (!element || !plays) return
    const options = {
      goesOn: (reason: string) => decide.current(reason),
      ownRate: history !== undefined,
      silent,
    }
    const keep = (next: LiveState) => (before: LiveState) =>
      before.is === 'playing' && next.is === 'playing' ? before : next
    const stop = playLive(element, name, (next) => setState(keep(next)), options)
    return () => {
      stop()
      setState({ is: 'connecting' })
    }
  }, [name, calls, plays, silent])
  useRate(video, history, state)
  return (
    <>
      <video ref={video} muted playsInline controls={hasSound && !history} data-live={state.is} />
      {state.is !== 'playing' && !isOver && (
        <Overlay state={state} waiting={waiting} onCall={() => setCalls((n) => n + 1)} />
      )}
    </>
  )
}

/** A range is paused and sped up in the vehicle; the player goes along. */
function useRate(
  video: { current: HTMLVideoElement | null },
  history: ScreenProps['history'],
  { is }: LiveState,
): void {
  const { paused = false, rate = 1, sound = false } = history ?? {}
  useEffect(() => {
    const element = video.current
    if (!element || !history || is !== 'playing') return
    element.playbackRate = rate
    element.muted = !sound
    if (paused) element.pause()
    else void element.play().catch(() => {})
  }, [paused, rate, sound, is])
}

type OverlayProps = { state: LiveState; waiting: string; onCall: () => void }

function Overlay({ state, waiting, onCall }: OverlayProps): JSX.Element {
  const words = text.value.vehicles
  if (state.is === 'over') {
    return (
      <div class="overlay" role="alert">
        <Icon name="vehicles" />
        <p>{endWords(state.reason)}</p>
        <Button icon="retry" onClick={onCall}>
          {words.callAgain}
        </Button>
      </div>
    )
  }
  return (
    <div class="overlay" role="status">
      {state.is === 'connecting' && <span class="spinner" />}
      <p>{state.is === 'retrying' ? words.retrying(formatSpan(state.inMs)) : waiting}</p>
    </div>
  )
}

function endWords(reason: string): string {
  const { ended } = text.value.vehicles
  return reason === 'no-source' || reason === 'no-key-frame' ? ended[reason] : ended.other
}

type UndecodableProps = { name: string; codec: string; wanted: boolean }

function Undecodable({ name, codec, wanted }: UndecodableProps): JSX.Element {
  useEffect(() => (wanted ? holdOpen(name) : undefined), [name, wanted])
  return (
    <>
      <div class="overlay">
        <Icon name="camera" />
        <p>{text.value.vehicles.unsupported(formatCodec(codec))}</p>
      </div>
      <Stills name={name} wanted={wanted} />
    </>
  )
}
