import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { formatCodec, formatSpan } from '../format.ts'
import { awayReason } from '../status/alarms.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { canDecode, type LiveState, playLive } from './play-live.ts'
import { Stills } from './stills.tsx'
import { pageVisible } from './visible.ts'

type PictureProps = { stream: StreamInfo; active: boolean; large: boolean }

/** The moving picture of a stream; words where there is none, or no decoder for it. */
export function Picture({ stream, active, large }: PictureProps): JSX.Element {
  // A camera that is fetched from comes when somebody watches it.
  const comes = stream.state === 'live' || stream.camera !== undefined
  const wanted = active && pageVisible.value && comes
  if (!canDecode(stream.video?.codecString)) return <Undecodable stream={stream} wanted={wanted} />
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
  if (stream.state === 'waiting' && (stream.camera?.state ?? 'offline') === 'offline') {
    return (
      <div class="overlay">
        <Icon name="camera" />
        <p>{awayReason(stream, text.value) ?? words.waiting}</p>
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

function Undecodable({ stream, wanted }: { stream: StreamInfo; wanted: boolean }): JSX.Element {
  return (
    <>
      <div class="overlay">
        <Icon name="camera" />
        <p>{text.value.live.unsupported(formatCodec(stream.video?.codec ?? ''))}</p>
      </div>
      <Stills name={stream.name} wanted={wanted} />
    </>
  )
}
