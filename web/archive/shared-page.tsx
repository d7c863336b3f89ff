import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import type { SharedRecording } from '../../shared/contract/api.ts'
import { cloud } from '../api.ts'
import { formatBytes, formatDateTime, formatDuration } from '../format.ts'
import { Preferences } from '../navigation.tsx'
import { createResource, useResources } from '../poll.ts'
import { language, text } from '../text/text.ts'
import { Icon, Mark } from '../ui/icon.tsx'
import { Empty, Problem } from '../ui/parts.tsx'
import { FilePlayer } from './file-player.tsx'
import { titleOf } from './words.ts'

/** What somebody sees who was sent a link: one recording, its players and files, nothing else. */
export function SharedPage({ path }: { path: string }): JSX.Element {
  const resource = useMemo(
    () =>
      createResource(
        (signal) => cloud.shared(path, signal),
        ({ state }) => state === 'ready',
      ),
    [path],
  )
  useResources(resource)
  const recording = resource.value.value
  const error = resource.error.value
  const gone = error !== undefined && error.status >= 400 && error.status < 500
  return (
    <div class="shared">
      <header class="shared-head">
        <div class="brand">
          <Mark />
          <span>edgereel</span>
        </div>
        <Preferences />
      </header>
      <main class="view">
        {gone && <Empty icon="share" title={text.value.shared.gone} />}
        {error && !gone && <Problem message={error.message} onRetry={() => void resource.refresh()} />}
        {recording && !gone && <SharedContent recording={recording} />}
        {!recording && !error && <p class="muted">{text.value.loading}</p>}
      </main>
    </div>
  )
}

function SharedContent({ recording }: { recording: SharedRecording }): JSX.Element {
  const { from, to, streams, state } = recording
  return (
    <>
      <header class="view-head">
        <div>
          <p class="muted small">{text.value.shared.by}</p>
          <h1>{titleOf(recording)}</h1>
          <p class="muted">
            {formatDateTime(from, language.value)}
            {to !== null && ` · ${formatDuration(to - from)}`}
          </p>
        </div>
      </header>
      {streams.map((stream) => (
        <section key={stream.name} class="stack">
          {streams.length > 1 && <h2>{stream.name}</h2>}
          {stream.files.map((file) => (
            <div key={file.part} class="player-card">
              <FilePlayer source={file.download} file={file} gaps={[]} />
              <a class="download" href={file.download} download>
                <Icon name="download" />
                <b>{text.value.archive.mp4}</b>
                <span class="muted">{formatBytes(file.mp4Bytes)}</span>
              </a>
            </div>
          ))}
          {stream.files.length === 0 && <p class="muted">{text.value.archive.notYet[state]}</p>}
        </section>
      ))}
      <p class="muted small">{text.value.shared.expires}</p>
    </>
  )
}
