import type { ComponentChildren, JSX, RefObject } from 'preact'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { noFilters, setFilters } from '../archive/archive-model.ts'
import { formatBitRate, formatBytes, formatCodec } from '../format.ts'
import { hrefOf } from '../route.ts'
import { text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Button, Facts } from '../ui/parts.tsx'
import { saveStill } from './save-still.ts'

/** What is known of a stream, beside its large picture. */
export function Details({
  stream,
  screen,
}: {
  stream: StreamInfo
  screen: RefObject<HTMLElement | null>
}): JSX.Element {
  const words = text.value.live
  const fullScreen = (): void => {
    void screen.current
      ?.querySelector('.tile-screen')
      ?.requestFullscreen()
      .catch(() => {})
  }
  return (
    <aside class="details">
      <div class="actions">
        <Button icon="full" onClick={fullScreen}>
          {words.fullScreen}
        </Button>
        <Button
          icon="camera"
          onClick={() => void attempt(() => saveStill(screen.current?.querySelector('video'), stream.name))}
        >
          {words.snapshot}
        </Button>
      </div>
      <Facts rows={rowsOf(stream)} />
      <a
        class="button button-plain"
        href={hrefOf('archive')}
        onClick={() => setFilters({ ...noFilters, stream: stream.name })}
      >
        {words.inArchive}
      </a>
    </aside>
  )
}

function rowsOf(stream: StreamInfo): [string, ComponentChildren][] {
  const words = text.value.live
  const { video, audio } = stream
  const rows: [string, ComponentChildren][] = [
    [words.kind, stream.source ?? stream.kind ?? text.value.none],
    [words.codec, video ? `${formatCodec(video.codec)} (${video.codecString})` : text.value.none],
    [words.size, video && video.width > 0 ? `${video.width} × ${video.height}` : text.value.none],
    [words.rate, `${stream.fps.toFixed(1)} fps`],
    [words.bitrate, formatBitRate(stream.bitsPerSecond)],
    [words.received, `${words.units(stream.units.toLocaleString())}, ${formatBytes(stream.bytes)}`],
    [words.gaps, stream.gaps],
    [words.viewersLabel, stream.viewers],
    [words.ring, words.ringPolicy[stream.ring]],
  ]
  if (audio) rows.splice(3, 0, [words.audio, `${formatCodec(audio.codec)}, ${audio.sampleRate} Hz`])
  return rows
}
