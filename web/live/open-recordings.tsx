import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Recording } from '../../shared/contract/recording.ts'
import { formatDuration } from '../format.ts'
import { mayOperate, openRecordings } from '../model.ts'
import { text } from '../text/text.ts'
import { Button } from '../ui/parts.tsx'
import { useSeconds } from '../ui/ticker.ts'
import { stopRecording } from './recording-actions.ts'

/** One line for each recording that goes on, with the button that ends it. */
export function OpenRecordings(): JSX.Element | null {
  if (openRecordings.value.length === 0) return null
  return (
    <section class="open-recordings" aria-label={text.value.live.openRecordings}>
      {openRecordings.value.map((recording) => (
        <OpenRecording key={recording.id} recording={recording} />
      ))}
    </section>
  )
}

function OpenRecording({ recording }: { recording: Recording }): JSX.Element {
  const [busy, setBusy] = useState(false)
  const now = useSeconds()
  const words = text.value.live
  const names = recording.streams.map(({ name }) => name).join(', ')
  const title = recording.title ?? names
  const stop = async (): Promise<void> => {
    setBusy(true)
    await stopRecording(recording.id)
    setBusy(false)
  }
  return (
    <div class="open-recording">
      <span class={recording.state === 'armed' ? 'record-dot' : 'record-dot record-dot-on'} />
      <b class="open-recording-title">{title}</b>
      {recording.title && <span class="muted open-recording-names">{names}</span>}
      <time class="elapsed">
        {recording.state === 'armed'
          ? text.value.archive.state.armed
          : formatDuration(now.value - recording.from)}
      </time>
      {mayOperate.value && (
        <Button icon="stop" label={words.stopAria(title)} busy={busy} onClick={() => void stop()}>
          {words.stop}
        </Button>
      )}
    </div>
  )
}
