import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { BeatsyncRefusal, BeatsyncResult } from '../../shared/contract/beatsync-api.ts'
import type { Task } from '../../shared/contract/task.ts'
import { cloud } from '../api.ts'
import { formatBytes } from '../format.ts'
import { mayOperate } from '../model.ts'
import { messageOf, reasonOf } from '../tasks/words.ts'
import { text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Bar, Button, Facts, Pill, type Tone } from '../ui/parts.tsx'
import { useSeconds } from '../ui/ticker.ts'

const tones: Record<Task['status'], Tone> = {
  PENDING: 'plain',
  PROCESSING: 'busy',
  SUCCESS: 'ok',
  FAILED: 'bad',
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`

/** One task: how far it is, why it failed, or what it made. */
export function BeatsyncTask({ task, onChanged }: { task: Task; onChanged: () => void }): JSX.Element {
  const words = text.value
  return (
    <li class="card beatsync-task" data-status={task.status}>
      <header>
        <Pill tone={tones[task.status]}>
          {words.tasks.status[task.status]}
          {task.status === 'PROCESSING' && ` ${Math.round(task.progress)} %`}
        </Pill>
        <b>{task.title}</b>
        <span class="muted small task-id">{task.id}</span>
        <Actions task={task} onChanged={onChanged} />
      </header>
      {task.status === 'PENDING' && <p class="muted">{messageOf(task) || words.beatsync.waiting}</p>}
      {task.status === 'PROCESSING' && (
        <>
          <p class="muted" role="status">
            {messageOf(task)}
          </p>
          <Bar percent={task.progress} label={words.tasks.kind.beatsync} />
        </>
      )}
      {task.status === 'FAILED' && <Failure task={task} />}
      {task.status === 'SUCCESS' && <Result result={task.result as BeatsyncResult} />}
    </li>
  )
}

function Failure({ task }: { task: Task }): JSX.Element {
  const { candidates = [] } = (task.result ?? {}) as Partial<BeatsyncRefusal>
  const places = candidates.map(({ offsetMs, score }) => `${seconds(offsetMs)} (${score.toFixed(1)})`)
  return (
    <>
      <p class="bad-text">{reasonOf(task)}</p>
      {places.length > 0 && <p class="muted small">{text.value.beatsync.candidates(places.join(', '))}</p>}
    </>
  )
}

function Result({ result }: { result: BeatsyncResult }): JSX.Element {
  const now = useSeconds()
  const words = text.value.beatsync
  const first = Object.values(result.variants)[0]
  const isGone = now.value > result.expiresAt
  return (
    <>
      {first && (
        <Facts
          rows={[
            [words.offset, seconds(first.offsetMs)],
            [words.score, `${first.score.toFixed(1)}${result.cached ? `, ${words.cached}` : ''}`],
            [words.drift, `${first.driftPpm} ppm`],
          ]}
        />
      )}
      {isGone ? <p class="muted">{words.expired}</p> : <Files result={result} />}
    </>
  )
}

function Files({ result }: { result: BeatsyncResult }): JSX.Element {
  const words = text.value.beatsync
  // By name: a catalogue on DynamoDB keeps no order of attributes.
  const files = Object.entries(result.variants).sort(([a], [b]) => (a < b ? -1 : 1))
  return (
    <div class="beatsync-results">
      {files.map(([variant, { download, cut, sizeBytes }]) => (
        <figure key={variant}>
          {/* biome-ignore lint/a11y/useMediaCaption: a dance has no captions. */}
          <video class="player" controls playsInline preload="metadata" src={download} />
          <figcaption>
            <b>{words.variant[variant as keyof typeof words.variant]}</b>
            <span class="muted small">
              {words.cut} {seconds(cut.fromMs)} – {seconds(cut.toMs)}
            </span>
            <a class="button button-plain" href={download} download>
              {words.download(formatBytes(sizeBytes))}
            </a>
          </figcaption>
        </figure>
      ))}
    </div>
  )
}

/** A task that waits or works can be cancelled, a failed one tried again. */
function Actions({ task, onChanged }: { task: Task; onChanged: () => void }): JSX.Element | null {
  const [busy, setBusy] = useState(false)
  const words = text.value
  const isOpen = task.status === 'PENDING' || task.status === 'PROCESSING'
  if (!mayOperate.value || task.status === 'SUCCESS') return null
  const act = async (): Promise<void> => {
    setBusy(true)
    await attempt(async () => {
      await (isOpen ? cloud.cancelTask(task.id) : cloud.retryTask(task.id))
      onChanged()
    })
    setBusy(false)
  }
  return (
    <Button icon={isOpen ? 'close' : 'retry'} busy={busy} onClick={() => void act()}>
      {isOpen ? words.beatsync.cancel : words.tasks.retry}
    </Button>
  )
}
