import { AppError } from '../../shared/error.ts'
import type { QueueName } from '../ports.ts'
import { findSegment, segmentKey } from '../rows/segment.ts'
import { taskKey } from '../rows/task.ts'
import type { JobPorts } from './job-ports.ts'
import { exportMessage, parseMessage } from './messages.ts'
import { parseRawEvent } from './raw-event.ts'
import { resetJob } from './run-job.ts'

/** `dlq redrive`: the row of the job gets its attempts back first, then its message goes back to its queue. */
export async function redrive(ports: JobPorts, queue: QueueName, id: string): Promise<void> {
  const body = await deadLetter(ports, queue, id)
  for (const key of await rowsOf(ports, queue, body)) await resetJob(ports, key)
  await ports.queue.redrive(queue, id)
}

async function deadLetter({ queue }: JobPorts, name: QueueName, id: string): Promise<string> {
  let cursor: string | undefined
  do {
    const page = await queue.deadLetters(name, cursor)
    const found = page.messages.find((message) => message.id === id)
    if (found) return found.body
    cursor = page.cursor
  } while (cursor !== undefined)
  throw new AppError('NotFound', `There is no dead letter ${id} in the queue ${name}.`)
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
    const message = queue === 'export' ? parseMessage(exportMessage, body) : undefined
    return message?.kind === 'run' ? [taskKey(message.task)] : []
  } catch {
    return []
  }
}
