import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Button, Field } from '../ui/parts.tsx'
import { type BrowserCamera, type CameraState, canFilm, openCamera } from './browser-camera.ts'

// Of the page, not of the view: whoever looks at the live wall meanwhile goes on filming.
const camera = signal<BrowserCamera>()
const state = signal<CameraState>('connecting')

function stop(): void {
  camera.value?.[Symbol.dispose]()
  camera.value = undefined
}

/** This device's own camera as one of the phones; shown only where the browser gives it. */
export function ThisCamera(): JSX.Element | null {
  const [busy, setBusy] = useState(false)
  const [name, setName] = useState('browser')
  if (!canFilm()) return null
  const words = text.value.phones.browser
  const start = async (): Promise<void> => {
    setBusy(true)
    await attempt(async () => {
      const onState = (next: CameraState) => {
        state.value = next
      }
      camera.value = await openCamera({ name, onState })
    })
    setBusy(false)
  }
  return (
    <section class="card this-camera">
      <h2>{words.title}</h2>
      <p class="muted">{words.body}</p>
      {camera.value ? (
        <>
          <Preview stream={camera.value.stream} />
          <p role="status">{words.state[state.value]}</p>
          <Button icon="stop" onClick={stop}>
            {words.stop}
          </Button>
        </>
      ) : (
        <>
          <Field label={words.name}>
            <input
              type="text"
              value={name}
              maxLength={64}
              pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </Field>
          <Button kind="primary" busy={busy} onClick={() => void start()}>
            {words.start}
          </Button>
        </>
      )}
    </section>
  )
}

function Preview({ stream }: { stream: MediaStream }): JSX.Element {
  const video = useRef<HTMLVideoElement>(null)
  useEffect(() => {
    if (!video.current) return
    video.current.srcObject = stream
    void video.current.play()
  }, [stream])
  return <video ref={video} muted playsInline />
}
