import { z } from 'zod'
import { name } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Queue } from '../ports.ts'

// Bodies of our own queues. Unknown keys are ignored: a newer sender may stand before an older worker.

export const thumbnailMessage = z.object({
  agent: name,
  stream: name,
  epoch: z.number().int().min(0),
  seq: z.number().int().min(0),
  /** Of the manifest: with it the row is found by its key. */
  from: z.number(),
  /** A recording needs it even if the stream has another of the last ten minutes. */
  needed: z.boolean().optional(),
})
export type ThumbnailMessage = z.infer<typeof thumbnailMessage>

export const exportMessage = z.discriminatedUnion('kind', [
  /** Looks whether a recording is complete. `again`: the one that comes back every 15 minutes until it is. */
  z.object({ kind: z.literal('check'), recording: name, again: z.boolean().optional() }),
  z.object({ kind: z.literal('run'), task: z.string().min(1).max(200) }),
])
export type ExportMessage = z.infer<typeof exportMessage>

export const beatsyncMessage = z.object({ task: z.string().min(1).max(200) })

export async function sendBeatsync(queue: Queue, task: string, delayS = 0): Promise<void> {
  await queue.send('beatsync', JSON.stringify({ task }), { delayS })
}

export async function sendThumbnail(queue: Queue, message: ThumbnailMessage): Promise<void> {
  await queue.send('thumbnail', JSON.stringify(message))
}

export async function sendExport(queue: Queue, message: ExportMessage, delayS = 0): Promise<void> {
  await queue.send('export', JSON.stringify(message), { delayS })
}

/** `InvalidArgument` for anything that is not such a message. */
export function parseMessage<T>(schema: z.ZodType<T>, body: string): T {
  try {
    return schema.parse(JSON.parse(body))
  } catch (cause) {
    throw new AppError('InvalidArgument', 'The message is not one of this queue.', { cause })
  }
}
