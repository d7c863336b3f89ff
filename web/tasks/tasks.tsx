import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Task } from '../../shared/contract/task.ts'
import { cloud } from '../api.ts'
import { createResource, useResources } from '../poll.ts'
import { text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Button, Empty, Problem } from '../ui/parts.tsx'
import { TaskRow } from './task-row.tsx'

const statuses = ['all', 'PENDING', 'PROCESSING', 'FAILED'] as const
type Filter = (typeof statuses)[number]

const filter = signal<Filter>('all')
const older = signal<{ tasks: Task[]; cursor: string | undefined } | undefined>(undefined)
const statusOf = (chosen: Filter): string | undefined => (chosen === 'all' ? undefined : chosen)
const tasks = createResource((abort) => cloud.tasks(statusOf(filter.value), undefined, abort))

function choose(next: Filter): void {
  filter.value = next
  older.value = undefined
  void tasks.refresh()
}

async function loadOlder(cursor: string): Promise<void> {
  const asked = filter.value
  const page = await cloud.tasks(statusOf(asked), cursor, new AbortController().signal)
  if (filter.value !== asked) return
  older.value = { tasks: [...(older.value?.tasks ?? []), ...page.tasks], cursor: page.cursor }
}

export function Tasks(): JSX.Element {
  useResources(tasks)
  const words = text.value.tasks
  const error = tasks.error.value
  const first = tasks.value.value
  const ids = new Set(first?.tasks.map(({ id }) => id))
  const list = [...(first?.tasks ?? []), ...(older.value?.tasks ?? []).filter(({ id }) => !ids.has(id))]
  const cursor = older.value ? older.value.cursor : first?.cursor
  return (
    <div class="view">
      <header class="view-head">
        <h1>{text.value.sections.tasks}</h1>
        <div class="choice">
          {statuses.map((name) => (
            <Button key={name} pressed={filter.value === name} onClick={() => choose(name)}>
              {words.filter[name]}
            </Button>
          ))}
        </div>
      </header>
      {error && <Problem message={error.message} onRetry={() => void tasks.refresh()} />}
      {list.length > 0 && (
        <ul class="tasks card card-flush">
          {list.map((task) => (
            <TaskRow key={task.id} task={task} onChanged={() => void tasks.refresh()} />
          ))}
        </ul>
      )}
      {first && list.length === 0 && (
        <Empty icon="tasks" title={filter.value === 'FAILED' ? words.emptyFailed : words.emptyTitle}>
          {filter.value === 'all' && <p>{words.emptyBody}</p>}
        </Empty>
      )}
      {!first && !error && <p class="muted">{text.value.loading}</p>}
      {cursor !== undefined && <More cursor={cursor} />}
    </div>
  )
}

function More({ cursor }: { cursor: string }): JSX.Element {
  const [busy, setBusy] = useState(false)
  const more = async (): Promise<void> => {
    setBusy(true)
    await attempt(() => loadOlder(cursor))
    setBusy(false)
  }
  return (
    <p class="more">
      <Button busy={busy} onClick={() => void more()}>
        {text.value.more}
      </Button>
    </p>
  )
}
