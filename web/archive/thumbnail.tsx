import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { links } from '../api.ts'
import { Icon } from '../ui/icon.tsx'

const triesMax = 6 // The last comes two minutes after the first: by then the picture is made, or never will be.

/**
 * The picture of a recording. It is made a moment after the first segment has arrived: until then, and where there
 * is none, a camera is drawn in its place.
 */
export function Thumbnail({ recording }: { recording: { id: string; state: string } }): JSX.Element {
  const [tries, setTries] = useState(1)
  const comes = recording.state !== 'armed' && recording.state !== 'open' // None is made before the end.
  const [missing, setMissing] = useState(!comes)
  useEffect(() => {
    if (!missing || tries >= triesMax || !comes) return
    const again = (): void => {
      setTries(tries + 1)
      setMissing(false)
    }
    const timer = setTimeout(again, 2000 * 2 ** tries)
    return () => clearTimeout(timer)
  }, [missing, tries, comes])
  if (missing) {
    return (
      <div class="no-picture">
        <Icon name="camera" />
      </div>
    )
  }
  return (
    <img
      key={tries}
      class="thumbnail"
      src={links.thumbnail(recording.id)}
      alt=""
      loading="lazy"
      decoding="async"
      onError={() => setMissing(true)}
    />
  )
}
