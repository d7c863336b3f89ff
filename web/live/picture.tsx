import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { agent } from '../api.ts'
import { formatSpan } from '../format.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { canDecode, type LiveState, playLive } from './play-live.ts'
import { pageVisible } from './visible.ts'

type PictureProps = { stream: StreamInfo; active: boolean; large: boolean }

/** The moving picture of a stream; stills where the browser has no decoder; words where there is neither. */
export function Picture({ stream, active, large }: PictureProps): JSX.Element {
  const wanted = active && pageVisible.value && stream.state === 'live'
  if (!canDecode(stream.video?.codecString)) return <Stills stream={stream} active={wanted} />
  return <Video stream={stream} wanted={wanted} large={large} />
}

function Video({
  stream,
  wanted,
  large,
}: {
  stream: StreamInfo
  wanted: boolean
  large: boolean
}): JSX.Element {
  const video = useRef<HTMLVideoElement>(null)
  const [state, setState] = useState<LiveState>({ is: 'connecting' })
  const { name } = stream
  useEffect(() => {
    const element = video.current
    if (!element || !wanted) return
    const stop = playLive(element, name, (next) =>
      setState((before) => (before.is === 'playing' && next.is === 'playing' ? before : next)),
    )
    return () => {
      stop()
      setState({ is: 'connecting' })
    }
  }, [name, wanted])
  return (
    <>
      <video
        ref={video}
        muted
        playsInline
        controls={large && stream.audio !== undefined}
        data-live={state.is}
      />
      {(state.is !== 'playing' || !wanted) && <Overlay stream={stream} state={state} />}
    </>
  )
}

function Overlay({ stream, state }: { stream: StreamInfo; state: LiveState }): JSX.Element {
  const words = text.value.live
  if (stream.state === 'waiting') {
    return (
      <div class="overlay">
        <Icon name="camera" />
        <p>{words.waiting}</p>
      </div>
    )
  }
  return (
    <div class="overlay" role="status">
      {state.is === 'retrying' ? (
        <p>{words.retrying(formatSpan(state.inMs))}</p>
      ) : (
        <>
          <span class="spinner" />
          <p>{words.connecting}</p>
        </>
      )}
    </div>
  )
}

const stillEveryMs = 5000 // A still costs the agent one FFmpeg start.

function Stills({ stream, active }: { stream: StreamInfo; active: boolean }): JSX.Element {
  const [url, setUrl] = useState<string>()
  const { name } = stream
  useEffect(() => {
    if (!active) return
    let stopped = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const next = async (): Promise<void> => {
      const still = await agent.snapshot(name).catch(() => undefined)
      if (stopped) return
      setUrl(still && URL.createObjectURL(still))
      timer = setTimeout(() => void next(), stillEveryMs)
    }
    void next()
    return () => {
      stopped = true
      clearTimeout(timer)
    }
  }, [name, active])
  useEffect(() => () => (url ? URL.revokeObjectURL(url) : undefined), [url])
  return (
    <>
      {url && <img class="still" src={url} alt={name} />}
      <div class={url ? 'overlay overlay-low' : 'overlay'}>
        <p>
          {text.value.live.unsupported(
            stream.video?.codec === 'h265' ? 'H.265' : (stream.video?.codec ?? ''),
          )}
        </p>
      </div>
    </>
  )
}
