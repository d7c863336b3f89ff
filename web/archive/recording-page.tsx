import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import type { RecordingDetail } from '../../shared/contract/api.ts'
import { formatDateTime } from '../format.ts'
import { stopRecording } from '../live/recording-actions.ts'
import { mayOperate } from '../model.ts'
import { createResource, useResources } from '../poll.ts'
import { hrefOf } from '../route.ts'
import { language, text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { Button, Empty, Pill, Problem } from '../ui/parts.tsx'
import { Downloads } from './downloads.tsx'
import { GapList } from './gap-list.tsx'
import { Keep } from './keep.tsx'
import { type Found, findRecording } from './on-its-way.ts'
import { RecordingFacts } from './recording-facts.tsx'
import { SharePanel } from './share-panel.tsx'
import { StreamPlayers } from './stream-players.tsx'
import { stateOf, stateTones, titleOf } from './words.ts'

/** One recording: its pictures, what is missing in them, its files, and what may be done with it. */
export function RecordingPage({ id }: { id: string }): JSX.Element {
  const resource = useMemo(
    () =>
      createResource(
        (signal) => findRecording(id, signal),
        ({ recording: { state } }) => state === 'ready' || state === 'failed',
      ),
    [id],
  )
  useResources(resource)
  const found = resource.value.value
  const error = resource.error.value
  return (
    <div class="view view-wide">
      <a class="back" href={hrefOf('archive')}>
        <Icon name="back" /> {text.value.sections.archive}
      </a>
      {error?.status === 404 && <Empty icon="archive" title={text.value.archive.gone} />}
      {error && error.status !== 404 && (
        <Problem message={error.message} onRetry={() => void resource.refresh()} />
      )}
      {found && error?.status !== 404 && <Content found={found} refresh={() => resource.refresh()} />}
      {!found && !error && <p class="muted">{text.value.loading}</p>}
    </div>
  )
}

type ContentProps = { found: Found; refresh: () => Promise<void> }

function Content({ found: { recording, isThere }, refresh }: ContentProps): JSX.Element {
  const state = isThere || recording.to === null ? stateOf(recording) : 'uploading'
  const words = text.value.archive
  return (
    <>
      <header class="view-head">
        <div>
          <h1>{titleOf(recording)}</h1>
          <p class="muted">
            {formatDateTime(recording.from, language.value)}
            {recording.title !== undefined && ` · ${recording.streams.map(({ name }) => name).join(', ')}`}
          </p>
        </div>
        <div class="actions">
          {recording.to === null && mayOperate.value && <Stop recording={recording} refresh={refresh} />}
          {recording.hold && <Pill tone="plain">{words.onHold}</Pill>}
          <Pill tone={stateTones[state]}>{words.state[state]}</Pill>
        </div>
      </header>
      <div class="columns recording">
        <div class="stack">
          <StreamPlayers recording={recording} state={state} />
          <GapList recording={recording} />
        </div>
        <div class="stack">
          <Downloads recording={recording} />
          {isThere && mayOperate.value && <SharePanel id={recording.id} />}
          <RecordingFacts recording={recording} isThere={isThere} />
          {isThere && mayOperate.value && <Keep recording={recording} refresh={refresh} />}
        </div>
      </div>
    </>
  )
}

type StopProps = { recording: RecordingDetail; refresh: () => Promise<void> }

function Stop({ recording, refresh }: StopProps): JSX.Element {
  const [busy, setBusy] = useState(false)
  const stop = async (): Promise<void> => {
    setBusy(true)
    if (await stopRecording(recording.id)) await refresh()
    setBusy(false)
  }
  return (
    <Button icon="stop" kind="record" busy={busy} onClick={() => void stop()}>
      {text.value.live.stop}
    </Button>
  )
}
