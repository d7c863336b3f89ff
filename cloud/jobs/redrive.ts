import { AppError } from '../../shared/error.ts'
import type { QueueName } from '../ports.ts'
import { findSegment, segmentKey } from '../rows/segment.ts'
import { taskKey } from '../rows/task.ts'
import type { JobPorts } from './job-ports.ts'
import {
  beatsyncMessage,
  exportMessage,
  parseMessage,
  sendBeatsync,
  sendExport,
  thumbnailMessage,
} from './messages.ts'
import { parseRawEvent } from './raw-event.ts'
import { resetJob } from './run-job.ts'
import { thumbnailKey } from './thumbnail.ts'

/** `dlq redrive`: the row of the job gets its attempts back first, then its message goes back to its queue. */
export async function redrive(ports: JobPorts, queue: QueueName, id: string): Promise<void> {
  const body = await deadLetter(ports, queue, id)
  for (const key of await rowsOf(ports, queue, body)) await resetJob(ports, key)
  await ports.queue.redrive(queue, id)
}

type TaskQueue = 'export' | 'beatsync'

/** A failed task gets its attempts back; its dead letter is the message that goes, if it still lies there. */
export async function redriveTask(ports: JobPorts, queue: TaskQueue, task: string): Promise<void> {
  await resetJob(ports, taskKey(task))
  for await (const { id, body } of deadLetters(ports, queue))
    if (taskOf(queue, body) === task) return await ports.queue.redrive(queue, id)
  if (queue === 'export') await sendExport(ports.queue, { kind: 'run', task })
  else await sendBeatsync(ports.queue, task)
}

function taskOf(queue: TaskQueue, body: string): string | undefined {
  if (queue === 'beatsync') return beatsyncMessage.safeParse(parseJson(body)).data?.task
  const message = exportMessage.safeParse(parseJson(body)).data
  return message?.kind === 'run' ? message.task : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // No message of ours; the schema says so.
  }
}

/** Of one queue, oldest first. */
export async function* deadLetters({ queue }: Pick<JobPorts, 'queue'>, name: QueueName) {
  let cursor: string | undefined
  do {
    const page = await queue.deadLetters(name, cursor)
    yield* page.messages
    cursor = page.cursor
  } while (cursor !== undefined)
}

async function deadLetter(ports: JobPorts, name: QueueName, id: string): Promise<string> {
  for await (const message of deadLetters(ports, name)) if (message.id === id) return message.body
  throw new AppError('NotFound', `There is no dead letter ${id} in the queue ${name}.`, {
    zh: `队列 ${name} 中没有死信 ${id}。`,
  })
}

/** A body that cannot be read has no row: it goes back as it is, and will come to the same end. */
async function rowsOf(
  ports: JobPorts,
  queue: QueueName,
  body: string,
): Promise<{ pk: string; sk: string }[]> {
  try {
    if (queue === 'mux') {
      const segments = parseRawEvent(body).filter((object) => object.kind === 'segment')
      const rows = await Promise.all(segments.map(({ id }) => findSegment(ports.catalogue, id)))
      return rows.flatMap((row) => (row ? [segmentKey(row, row.from)] : []))
    }
    if (queue === 'thumbnail') return [thumbnailKey(parseMessage(thumbnailMessage, body))]
    const task = taskOf(queue, body)
    return task === undefined ? [] : [taskKey(task)]
  } catch {
    return []
  }
}
