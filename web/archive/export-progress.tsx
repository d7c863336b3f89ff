import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { cloud } from '../api.ts'
import { mayOperate } from '../model.ts'
import { createResource, useResources } from '../poll.ts'
import { messageOf, reasonOf } from '../tasks/words.ts'
import { text } from '../text/text.ts'
import { attempt, tell } from '../ui/notice.tsx'
import { Bar, Button } from '../ui/parts.tsx'

/** How far the work on a recording's file is, or why it failed and the way to try again. */
export function ExportProgress({ id, failed }: { id: string; failed: boolean }): JSX.Element | null {
  const resource = useMemo(() => createResource((signal) => cloud.task(id, signal)), [id])
  useResources(resource)
  const task = resource.value.value
  if (!task) return null
  if (!failed && task.status !== 'FAILED') {
    return <Bar label={messageOf(task)} {...(task.status === 'PROCESSING' && { percent: task.progress })} />
  }
  const retry = (): Promise<boolean> =>
    attempt(async () => {
      await cloud.retryTask(id)
      tell(text.value.tasks.retried)
      await resource.refresh()
    })
  return (
    <>
      <p class="small">{reasonOf(task)}</p>
      {mayOperate.value && (
        <Button icon="retry" onClick={() => void retry()}>
          {text.value.tasks.retry}
        </Button>
      )}
    </>
  )
}
