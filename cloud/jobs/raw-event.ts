import { z } from 'zod'
import { isName, parseSegmentName, type SegmentId } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'

/** What wakes a mux: a manifest or a revision of a recording lies in the store. */
export type RawObject =
  | { kind: 'segment'; key: string; id: SegmentId }
  | { kind: 'recording'; key: string; agent: string; id: string; rev: number }

/** The message of S3's event notification (schema of 2.1), cut down to what is read here. */
const s3Event = z.looseObject({
  Records: z
    .array(z.looseObject({ s3: z.looseObject({ object: z.looseObject({ key: z.string().max(1100) }) }) }))
    .optional(),
  /** S3 sends this once, when the notification is set up. */
  Event: z.string().optional(),
})

export function rawCreatedEvent(key: string, sizeBytes: number): string {
  const encoded = key.split('/').map(encodeURIComponent).join('/')
  return JSON.stringify({
    Records: [{ eventName: 'ObjectCreated:Put', s3: { object: { key: encoded, size: sizeBytes } } }],
  })
}

/** Throws `InvalidArgument` for a body that is no event or names what no agent writes. */
export function parseRawEvent(body: string): RawObject[] {
  let records: z.infer<typeof s3Event>['Records']
  try {
    records = s3Event.parse(JSON.parse(body)).Records ?? []
  } catch (cause) {
    throw new AppError('InvalidArgument', 'The message is not an event of the object store.', { cause })
  }
  return records.map(({ s3 }) => parseRawKey(decodeKey(s3.object.key)))
}

/** S3 writes a space as `+` and the rest percent-encoded. */
function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch (cause) {
    throw new AppError('InvalidArgument', 'The event names a key that cannot be read.', { cause })
  }
}

export function parseRawKey(key: string): RawObject {
  const [root, agent = '', folder = '', third = '', fourth, ...more] = key.split('/')
  if (root === 'raw' && isName(agent) && key.endsWith('.json') && more.length === 0) {
    if (fourth === undefined && isName(folder)) {
      const id = parseSegmentName(third.slice(0, -'.json'.length))
      if (id) return { kind: 'segment', key, id: { agent, stream: folder, ...id } }
    }
    const rev = /^(\d{1,9})\.json$/.exec(fourth ?? '')?.[1]
    if (folder === 'recordings' && isName(third) && rev) {
      return { kind: 'recording', key, agent, id: third, rev: Number(rev) }
    }
  }
  throw new AppError(
    'InvalidArgument',
    `The key ${JSON.stringify(key)} is neither a manifest nor a recording.`,
  )
}
