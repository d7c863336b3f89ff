import { type MediaRequest, type Principal, requireRole } from '../../agent/control/auth.ts'
import { createHub } from '../../agent/hub/hub.ts'
import { createRtmpIngest } from '../../agent/ingest/rtmp.ts'
import { openRtmp, type RtmpDoorEvent, type RtmpOptions } from '../../agent/listen/rtmp.ts'
import { createFlvPlay } from '../../agent/play/flv.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import { freePort } from './program.ts'

/** The tokens of the rig: what they say is who they are. */
export function principalOf(token: string | undefined): Principal {
  if (token === undefined) return { role: 'anonymous', subject: 'anonymous', via: 'none' }
  const [role = '', stream] = token.split(':')
  if (role !== 'viewer' && role !== 'publisher' && role !== 'admin') {
    return { role: 'unknown', subject: 'unknown', via: 'query' }
  }
  return { role, subject: token, ...(stream === undefined ? {} : { stream }), via: 'query' }
}

function byRigToken({ query, role, stream }: MediaRequest): Principal {
  const principal = principalOf(query.get('token') ?? undefined)
  requireRole(principal, role, stream)
  return principal
}

/** An RTMP door over a real hub; `units` and `gaps` are what the recorder would see. */
export async function openRtmpRig(
  options: { clock?: Clock; admit?: RtmpOptions['auth']['admit']; graceMs?: number } = {},
) {
  const { clock = systemClock, graceMs = 30_000, admit = byRigToken } = options
  const stack = new AsyncDisposableStack()
  const units: AccessUnit[] = []
  const gaps: SourceGap[] = []
  const events: RtmpDoorEvent[] = []
  const sink = {
    write: (unit: AccessUnit) => void units.push(unit),
    gap: (gap: SourceGap) => void gaps.push(gap),
    end: () => undefined,
  }
  const hub = stack.use(createHub({ openSink: () => sink, clock, onEvent: () => undefined, graceMs }))
  const play = stack.use(createFlvPlay({ findStream: (name) => hub.stream(name), clock, soundAheadMs: 0 }))
  const ingest = createRtmpIngest({ hub, clock })
  const door = stack.use(
    await openRtmp({
      host: '127.0.0.1',
      port: await freePort(),
      clock,
      auth: { admit },
      ingest,
      play,
      onEvent: (event) => events.push(event),
    }),
  )
  return {
    hub,
    play,
    ingest,
    door,
    units,
    gaps,
    events,
    url: (name: string, token?: string) =>
      `rtmp://127.0.0.1:${door.port}/live/${name}${token === undefined ? '' : `?token=${token}`}`,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
