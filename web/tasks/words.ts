import { reasonTexts } from '../../shared/contract/reason-texts.ts'
import type { Task } from '../../shared/contract/task.ts'
import { language } from '../text/text.ts'

/** What it is doing now. */
export function messageOf({ message, messageZh }: Task): string {
  return language.value === 'zh' ? (messageZh ?? message) : message
}

/** Why a task failed, as one sentence, with its details. */
export function reasonOf(task: Task): string {
  const said = messageOf(task)
  if (said !== '') return said
  const reason = task.reason ? reasonTexts[task.reason][language.value] : task.message
  return task.detail ? `${reason} (${task.detail})` : reason
}
