import type { JSX } from 'preact'
import { cloud } from '../api.ts'
import { mayOperate } from '../model.ts'
import { createResource, useResources } from '../poll.ts'
import { text } from '../text/text.ts'
import { Empty, Problem } from '../ui/parts.tsx'
import { BeatsyncForm } from './form.tsx'
import { BeatsyncTask } from './result.tsx'

const tasks = createResource(cloud.beatsyncTasks)

/** A dance video and its music in, both variants out; below, what was made lately. */
export function Beatsync(): JSX.Element {
  useResources(tasks)
  const words = text.value.beatsync
  const error = tasks.error.value
  const list = tasks.value.value?.tasks
  const refresh = (): void => void tasks.refresh()
  return (
    <div class="view">
      <header class="view-head">
        <h1>{text.value.sections.beatsync}</h1>
      </header>
      {mayOperate.value && <BeatsyncForm onSubmitted={refresh} />}
      {error && <Problem message={error.message} onRetry={refresh} />}
      {list && list.length > 0 && <h2>{words.history}</h2>}
      <ul class="beatsync-tasks">
        {list?.map((task) => (
          <BeatsyncTask key={task.id} task={task} onChanged={refresh} />
        ))}
      </ul>
      {list?.length === 0 && <Empty icon="beatsync" title={words.empty} />}
      {!list && !error && <p class="muted">{text.value.loading}</p>}
    </div>
  )
}
