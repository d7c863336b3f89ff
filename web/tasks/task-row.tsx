import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Task, TaskStatus } from '../../shared/contract/task.ts'
import { cloud } from '../api.ts'
import { formatSpan } from '../format.ts'
import { mayOperate } from '../model.ts'
import { hrefOf } from '../route.ts'
import { text } from '../text/text.ts'
import { attempt, tell } from '../ui/notice.tsx'
import { Bar, Button, Pill, type Tone } from '../ui/parts.tsx'
import { useSeconds } from '../ui/ticker.ts'
import { messageOf, reasonOf } from './words.ts'

const tones: Record<TaskStatus, Tone> = { PENDING: 'plain', PROCESSING: 'busy', SUCCESS: 'ok', FAILED: 'bad' }

export function TaskRow({ task, onChanged }: { task: Task; onChanged: () => void }): JSX.Element {
  const now = useSeconds()
  const words = text.value.tasks
  const ageMs = now.value - task.updatedAt
  return (
    <li class="task" data-status={task.status}>
      <div class="task-words">
        <b>{words.kind[task.kind]}</b>
        <TaskName task={task} />
        {task.status === 'FAILED' ? (
          <p class="bad-text">{reasonOf(task)}</p>
        ) : (
          messageOf(task) !== '' && <p class="muted">{messageOf(task)}</p>
        )}
        {task.status === 'PROCESSING' && <Bar percent={task.progress} label={words.kind[task.kind]} />}
      </div>
      <div class="task-side">
        <Pill tone={tones[task.status]}>
          {words.status[task.status]}
          {task.status === 'PROCESSING' && ` ${Math.round(task.progress)} %`}
        </Pill>
        <span class="muted small">
          {ageMs < 2000 ? text.value.justNow : text.value.ago(formatSpan(ageMs))}
          {task.attempts > 1 && ` · ${words.attempts(task.attempts)}`}
        </span>
        {task.status === 'FAILED' && mayOperate.value && <Retry id={task.id} onChanged={onChanged} />}
      </div>
    </li>
  )
}

/** What it works on: of an export, the way to the recording. */
function TaskName({ task }: { task: Task }): JSX.Element {
  const recording = /^export-(.+)-v\d+$/.exec(task.id)?.[1]
  const name = task.title ?? recording ?? task.id
  if (recording === undefined) return <span class="muted small task-id">{name}</span>
  return (
    <a class="small task-id" href={hrefOf('archive', recording)}>
      {name}
    </a>
  )
}

function Retry({ id, onChanged }: { id: string; onChanged: () => void }): JSX.Element {
  const [busy, setBusy] = useState(false)
  const retry = async (): Promise<void> => {
    setBusy(true)
    await attempt(async () => {
      await cloud.retryTask(id)
      tell(text.value.tasks.retried)
      onChanged()
    })
    setBusy(false)
  }
  return (
    <Button icon="retry" busy={busy} onClick={() => void retry()}>
      {text.value.tasks.retry}
    </Button>
  )
}
