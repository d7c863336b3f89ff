import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { Gap } from '../../shared/contract/segment.ts'
import { text } from '../text/text.ts'
import { type GapMark, gapMarks } from './gap-marks.ts'

type FilePlayerProps = {
  source: string
  poster?: string
  file: { from: number; to: number; codec: string; width: number; height: number }
  gaps: Gap[]
}

/** Plays one MP4 and marks, on a bar of its own, where pictures are missing. */
export function FilePlayer({ source, poster, file, gaps }: FilePlayerProps): JSX.Element {
  const video = useRef<HTMLVideoElement>(null)
  const [positionMs, setPositionMs] = useState(0)
  const [failed, setFailed] = useState(false)
  const marks = gapMarks(gaps, file)
  const seek = (ms: number): void => {
    if (video.current) video.current.currentTime = ms / 1000
  }
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: a camera's recording has no captions. */}
      <video
        ref={video}
        class="player"
        controls
        playsInline
        preload="metadata"
        src={source}
        poster={poster}
        onTimeUpdate={(event) => setPositionMs(event.currentTarget.currentTime * 1000)}
        onError={() => setFailed(true)}
        onLoadedMetadata={() => setFailed(false)}
      />
      {failed && <p class="remark">{failureWords(file.codec)}</p>}
      <GapBar marks={marks} positionMs={positionMs} lengthMs={file.to - file.from} seek={seek} />
    </>
  )
}

function failureWords(codec: string): string {
  const words = text.value.archive
  const decodable = document.createElement('video').canPlayType(`video/mp4; codecs="${codec}"`) !== ''
  return decodable ? words.playFailed : words.undecodable(codec)
}

type GapBarProps = { marks: GapMark[]; positionMs: number; lengthMs: number; seek: (ms: number) => void }

function GapBar({ marks, positionMs, lengthMs, seek }: GapBarProps): JSX.Element | null {
  if (marks.length === 0 || lengthMs <= 0) return null
  const percent = (ms: number): string => `${Math.min(100, Math.max(0, (100 * ms) / lengthMs))}%`
  const words = text.value.archive
  return (
    <fieldset class="gap-bar" aria-label={words.timeline}>
      <div class="gap-bar-played" style={{ width: percent(positionMs) }} />
      {marks.map((mark, index) => (
        <button
          key={mark.startMs}
          type="button"
          class="gap-mark"
          style={{ left: percent(mark.startMs), width: percent(mark.endMs - mark.startMs) }}
          aria-label={words.jumpToGap(index + 1)}
          title={words.causes[mark.cause]}
          onClick={() => seek(Math.max(0, mark.startMs - 1000))}
        />
      ))}
    </fieldset>
  )
}
