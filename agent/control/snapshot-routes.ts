import { z } from 'zod'
import { parseTime, timeText } from '../../shared/contract/agent-api.ts'
import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Commands, Snapshot } from './commands-port.ts'
import { type Route, route } from './route.ts'

const snapshotBody = z.strictObject({
  /** Absent: now. */
  at: timeText.optional(),
})

/** Stills of streams. */
export function snapshotRoutes({ snapshot }: Commands, clock: Clock): Route[] {
  if (!snapshot) return []
  return [
    route({
      method: 'post',
      path: '/agent/v1/streams/{name}/snapshot',
      summary: 'A still of now, or of the nearest key frame that is held, as image/jpeg',
      role: 'operator',
      body: snapshotBody,
      handle: async ({ params, body }) => {
        const at = body.at === undefined ? {} : { at: parseTime(body.at, clock.nowMs()) }
        return image(await snapshot({ stream: named(params.name), ...at }))
      },
    }),
    route({
      method: 'get',
      path: '/agent/v1/streams/{name}/still',
      summary: 'The newest key frame as image/jpeg, for those who cannot play the stream',
      role: 'viewer',
      handle: async ({ params }) => image(await snapshot({ stream: named(params.name), ownPicture: true })),
    }),
  ]
}

function image({ jpeg, takenAt }: Snapshot): Response {
  const headers = {
    'content-type': 'image/jpeg',
    'content-length': String(jpeg.length),
    'cache-control': 'no-store',
    'x-taken-at': new Date(takenAt).toISOString(),
  }
  return new Response(Uint8Array.from(jpeg), { headers })
}

function named(text = ''): string {
  if (isName(text)) return text
  throw new AppError('InvalidArgument', '`name` is not a name', { zh: '名称无效。' })
}
