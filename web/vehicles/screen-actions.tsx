import type { JSX, RefObject } from 'preact'
import { saveStill } from '../live/save-still.ts'
import { text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Button } from '../ui/parts.tsx'

/** What may be done with any picture: see it large, keep it. */
export function ScreenActions({
  screen,
  name,
}: {
  screen: RefObject<HTMLElement | null>
  name: string
}): JSX.Element {
  const words = text.value.vehicles
  const fullScreen = (): void => {
    void screen.current?.requestFullscreen().catch(() => {})
  }
  const keep = (): void => void attempt(() => saveStill(screen.current?.querySelector('video'), name))
  return (
    <div class="tile-actions">
      <Button icon="full" label={words.fullScreen} onClick={fullScreen} />
      <Button icon="camera" label={words.snapshot} onClick={keep}>
        {words.snapshot}
      </Button>
    </div>
  )
}
