import type { Recording } from '../../shared/contract/recording.ts'
import type { LiveClient } from '../live-client.ts'

export const hookActions = [
  'on_publish',
  'on_unpublish',
  'on_play',
  'on_stop',
  'on_record',
  'on_vehicle_data',
] as const
export type HookAction = (typeof hookActions)[number]

export type HookAgent = { uuid: string; name: string; serviceId: string }

/** What happened, before it is told. */
export type HookEvent =
  | {
      action: Exclude<HookAction, 'on_record' | 'on_vehicle_data'>
      stream: string
      /** `phone`, `rtmp`, `http`, `ws`. */
      transport: string
      client?: LiveClient
      reason?: string
    }
  | { action: 'on_record'; stream: string; recording: Recording }
  | { action: 'on_vehicle_data'; stream: string; address: string; payloadType: number; bytes: Uint8Array }

const nobody: LiveClient = { id: '', address: '', app: 'live', param: '', subject: '' }

/**
 * The bodies of SRS's `http_hooks` (PROTOCOLS.md, 6), so that what listens to SRS listens to us, and what SRS has no
 * word for beside them: `at` (wall ms), `transport`, `reason`. Tokens and signatures are not in `param`.
 */
export function hookBody(event: HookEvent, agent: HookAgent, atMs: number): object {
  const client = 'client' in event && event.client ? event.client : nobody
  return {
    server_id: agent.uuid,
    service_id: agent.serviceId,
    action: event.action,
    client_id: client.id,
    ip: 'address' in event ? event.address : client.address,
    vhost: '__defaultVhost__',
    app: client.app,
    tcUrl: `rtmp://${agent.name}/${client.app}`,
    stream: event.stream,
    param: client.param,
    stream_url: `/${client.app}/${event.stream}`,
    stream_id: `${agent.uuid}/${event.stream}`,
    at: atMs,
    ...special(event),
  }
}

function special(event: HookEvent): object {
  if (event.action === 'on_record') return recorded(event.recording, event.stream)
  if (event.action === 'on_vehicle_data') {
    return { payloadType: event.payloadType, base64: Buffer.from(event.bytes).toString('base64') }
  }
  const { action, transport, reason } = event
  // As SRS for a viewer without a page: which page it is on is not known here.
  const page = action === 'on_play' ? { pageUrl: '' } : {}
  return { ...page, transport, ...(reason === undefined ? {} : { reason }) }
}

/** One body for each stream of a recording that is closed. Its MP4 follows when the cloud has made it. */
function recorded({ id, title, labels, streams }: Recording, stream: string): object {
  const part = streams.find(({ name }) => name === stream)
  return {
    recording: id,
    ...(title === undefined ? {} : { title }),
    labels,
    from: part?.from,
    to: part?.to,
    segments: part?.segments.length ?? 0,
    gaps: part?.gaps.length ?? 0,
    url: `/v1/recordings/${id}`,
  }
}
