import type { JSX } from 'preact'
import type { StreamInfo } from '../../shared/contract/agent-api.ts'
import { mayOperate, openRecordings, phones, recordings, streams } from '../model.ts'
import { useResources } from '../poll.ts'
import { hrefOf } from '../route.ts'
import { isSilent } from '../status/alarms.ts'
import { text } from '../text/text.ts'
import { Button, Empty, Problem } from '../ui/parts.tsx'
import { OpenRecordings } from './open-recordings.tsx'
import { SelectionBar, selection } from './selection.tsx'
import { Tile } from './tile.tsx'

export function Wall(): JSX.Element {
  useResources(streams, recordings, phones)
  const list = streams.value.value
  const error = streams.error.value
  return (
    <div class="view view-wide">
      <Heading />
      {error && <Problem message={error.message} onRetry={() => void streams.refresh()} />}
      <OpenRecordings />
      {list && list.length > 0 && (
        <div class={`wall wall-${Math.min(list.length, 5)}`}>
          {inOrder(list).map((stream) => (
            <Tile key={stream.name} stream={stream} />
          ))}
        </div>
      )}
      {list?.length === 0 && <NoStream />}
      {!list && !error && <WallSkeleton />}
      <SelectionBar />
    </div>
  )
}

/** `cam-2` before `cam-10`. */
const byName = new Intl.Collator(undefined, { numeric: true })
const inOrder = (list: StreamInfo[]): StreamInfo[] => list.toSorted((a, b) => byName.compare(a.name, b.name))

function Heading(): JSX.Element {
  const words = text.value.live
  const list = streams.value.value ?? []
  const live = list.filter((stream) => stream.state === 'live' && !isSilent(stream)).length
  const open = openRecordings.value.length
  const all = list.map(({ name }) => name)
  const selecting = selection.value !== undefined
  return (
    <header class="view-head">
      <div>
        <h1>{text.value.sections.live}</h1>
        {list.length > 0 && (
          <p class="muted">
            {words.summary(live, list.length)}
            {open > 0 && <span class="rec-text"> · {words.recording(open)}</span>}
          </p>
        )}
      </div>
      {all.length > 0 && mayOperate.value && (
        <div class="actions">
          {selecting && (
            <Button
              onClick={() => {
                selection.value = new Set(all)
              }}
            >
              {words.selectAll}
            </Button>
          )}
          <Button
            icon="select"
            pressed={selecting}
            onClick={() => {
              selection.value = selecting ? undefined : new Set()
            }}
          >
            {words.select}
          </Button>
        </div>
      )}
    </header>
  )
}

/** Nothing is sent: phones that are ready wait to be started, else one has to be added. */
function NoStream(): JSX.Element {
  const words = text.value.live
  const ready = phones.value.value?.filter(({ state }) => state === 'ready').length ?? 0
  if (ready > 0) {
    return (
      <Empty icon="phones" title={words.readyTitle(ready)}>
        <p>{words.readyBody}</p>
        <a class="button button-primary" href={hrefOf('phones')}>
          {words.readyAction}
        </a>
      </Empty>
    )
  }
  return (
    <Empty icon="live" title={words.emptyTitle}>
      <p>{words.emptyBody}</p>
      {mayOperate.value && (
        <>
          <a class="button button-primary" href={hrefOf('phones')}>
            {words.emptyAction}
          </a>
          <p class="muted small">
            {words.emptySim} <code>{simCommand()}</code>
          </p>
        </>
      )}
    </Empty>
  )
}

/** To be typed on this machine: the simulator's own port is 50001. */
function simCommand(): string {
  const { port } = location
  const url = port === '50001' ? '' : ` --url ws://127.0.0.1:${port}/android-cam`
  return `npm run -s edgereel -- sim phone${url}`
}

function WallSkeleton(): JSX.Element {
  return (
    <div class="wall wall-2" aria-busy="true" role="status" aria-label={text.value.loading}>
      <div class="tile skeleton" />
      <div class="tile skeleton" />
    </div>
  )
}
