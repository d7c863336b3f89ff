import type { TaskReason } from './task.ts'

/** One sentence for a person, English and Chinese. Apart from `task.ts`, so that the page need not carry zod. */
export const reasonTexts: Record<TaskReason, { en: string; zh: string }> = {
  FILE_NOT_FOUND: { en: 'A file that the task needs is not there.', zh: '任务所需的文件不存在。' },
  FILE_TOO_LARGE: { en: 'A file is larger than the limit.', zh: '文件超过大小限制。' },
  INVALID_FORMAT: { en: 'A file is not in a format that can be read.', zh: '文件格式无法识别。' },
  PROCESSING_FAILED: { en: 'The work failed; the details say why.', zh: '处理失败，详情说明原因。' },
  RESOURCE_LIMIT: {
    en: 'Memory or disk was not enough for this task.',
    zh: '内存或磁盘不足，无法完成任务。',
  },
  TIMEOUT: { en: 'The work took longer than the limit.', zh: '处理超时。' },
}
