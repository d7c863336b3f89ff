import { recording } from '../../shared/contract/recording.ts'
import { keys } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { recordingBytesMax, thumbnailEveryMs } from '../../shared/limits.ts'
import type { QueueName } from '../ports.ts'
import { saveRecording } from '../rows/recording.ts'
import { findSegment, type SegmentRow, segmentsBetween } from '../rows/segment.ts'
import { runBeatsync } from './beatsync/run-beatsync.ts'
import { runExport } from './export.ts'
import { checkExport, checkWaiting } from './export-check.ts'
import type { JobPorts } from './job-ports.ts'
import {
  beatsyncMessage,
  exportMessage,
  parseMessage,
  sendExport,
  sendThumbnail,
  thumbnailMessage,
} from './messages.ts'
import { muxSegment } from './mux.ts'
import { parseRawEvent, type RawObject } from './raw-event.ts'
import { readObject } from './segment-source.ts'
import { makeThumbnail } from './thumbnail.ts'

/**
 * What to do with a message of each queue. When the promise resolves the message may be deleted: whatever
 * has to follow has been sent. A terminal error means the dead letters, any other another delivery.
 */
export type Handler = (body: string, ports: JobPorts, signal: AbortSignal) => Promise<void>

export const handlers: Partial<Record<QueueName, Handler>> = {
  mux: async (body, ports, signal) => {
    for (const object of parseRawEvent(body)) await rawCreated(object, ports, signal)
  },
  export: async (body, ports, signal) => {
    const message = parseMessage(exportMessage, body)
    if (message.kind === 'check') await checkExport(message, ports)
    else await runExport(message.task, ports, signal)
  },
  thumbnail: async (body, ports, signal) => {
    await makeThumbnail(parseMessage(thumbnailMessage, body), ports, signal)
  },
  beatsync: async (body, ports, signal) => {
    await runBeatsync(parseMessage(beatsyncMessage, body).task, ports, signal)
  },
}

async function rawCreated(object: RawObject, ports: JobPorts, signal: AbortSignal): Promise<void> {
  if (object.kind === 'recording') {
    await recordingArrived(object, ports)
    return
  }
  try {
    const segment = await muxSegment(object.id, ports, signal)
    if (segment.deletedAt !== undefined) return
    // Also when an earlier run had finished it: that run may have been killed before it came this far.
    await checkWaiting(segment, ports)
    await askForThumbnail(segment, ports)
  } catch (cause) {
    const error = AppError.from(cause)
    const row = error.terminal ? await findSegment(ports.catalogue, object.id) : undefined
    if (row?.status === 'FAILED') await checkWaiting(row, ports)
    throw error
  }
}

async function recordingArrived(
  object: Extract<RawObject, { kind: 'recording' }>,
  { store, catalogue, queue, clock }: JobPorts,
): Promise<void> {
  const bytes = await readObject(store, object.key, recordingBytesMax)
  const parsed = recording.safeParse(parseJson(bytes))
  const isSame =
    parsed.success && keys.recording(parsed.data.agent, parsed.data.id, parsed.data.rev) === object.key
  if (!isSame) throw new AppError('InvalidArgument', `${object.key} is not the recording that its key says.`)
  await saveRecording(catalogue, parsed.data, clock.nowMs())
  if (parsed.data.state === 'closed') await sendExport(queue, { kind: 'check', recording: parsed.data.id })
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined // No recording either; the schema says so.
  }
}

/** One in ten minutes of each stream; a recording that has none asks for its own. */
async function askForThumbnail(segment: SegmentRow, { catalogue, queue }: JobPorts): Promise<void> {
  if (!segment.video || segment.thumbnail !== undefined) return
  const { agent, stream, epoch, seq, from } = segment
  const range = { agent, stream, from: from - thumbnailEveryMs, to: from }
  for await (const before of segmentsBetween(catalogue, range)) if (before.thumbnail !== undefined) return
  await sendThumbnail(queue, { agent, stream, epoch, seq, from })
}
