import { reasonTexts } from '../../shared/contract/reason-texts.ts'
import type { Task } from '../../shared/contract/task.ts'
import { language } from '../text/text.ts'

/** Why a task failed, as one sentence, with its details. */
export function reasonOf(task: Task): string {
  const reason = task.reason ? reasonTexts[task.reason][language.value] : task.message
  return task.detail ? `${reason} (${task.detail})` : reason
}
