import type { Gap } from '../shared/contract/segment.ts'
import type { AppError } from '../shared/error.ts'
import type { Log } from '../shared/node/log.ts'
import type { Config } from './config.ts'
import type { HubEvent } from './hub/hub.ts'
import type { PhoneEvent } from './ingest/phones.ts'
import type { SourceEvent } from './ingest/sources.ts'
import type { DoorEvent } from './listen/http.ts'
import type { RtmpDoorEvent } from './listen/rtmp.ts'
import type { AacSoundEvent } from './play/audio-aac.ts'
import type { ForwardEvent } from './play/rtmp-forwards.ts'
import type { Recovery } from './ring/types.ts'

/** What the parts of the agent report, as log lines: words from outside only in fields. */
export function tell(log: Log) {
  return {
    hub: ({ error, type, client, ...rest }: HubEvent) => {
      const event = client ? { ...rest, address: client.address } : rest
      if (type === 'fault') log.error({ ...event, err: error }, 'a reader of a stream failed')
      else log.info(event, `stream ${type}`)
    },
    phone: (event: PhoneEvent) => {
      if (event.type === 'fault') log.error({ err: event.error }, event.message)
      else if (event.type === 'refused') log.warn(event, 'phone refused')
      else log.info({ phone: event.phone, address: event.address }, `phone ${event.type}`)
    },
    door: (event: DoorEvent | RtmpDoorEvent) => {
      if (event.type === 'fault') {
        const requestId = 'requestId' in event ? { requestId: event.requestId } : {}
        log.error({ err: event.error, ...requestId }, 'a request failed')
      } else log.debug(event, `door: ${event.type}`)
    },
    source: ({ stream, source, status: { state, error } }: SourceEvent) => {
      if (state !== 'offline') log.info({ stream, source }, `camera ${state}`)
      else log.warn({ stream, source, reason: error?.message }, 'camera offline, it is tried again')
    },
    gap: (stream: string, { from, to, cause, units }: Gap) =>
      log.warn({ stream, from: new Date(from).toISOString(), ms: to - from, cause, units }, 'gap'),
    recovery: ({ sealed, adopted, quarantined, lost }: Recovery) => {
      if (sealed + adopted > 0) log.info({ sealed, adopted }, 'recovered what a killed process left')
      if (lost.length > 0) log.warn({ lost: lost.length }, 'gaps of the last run')
      for (const { name, reason } of quarantined)
        log.error({ name, reason }, 'a file of the ring was set aside')
    },
    alarm: (alarm: string | undefined) => {
      if (alarm === undefined) log.info('the disk is well again')
      else log.error({ alarm }, 'disk alarm')
    },
    upload: (error: AppError) => log.error({ err: error }, 'an upload needs a person'),
    sound: (event: AacSoundEvent) => {
      const { type, stream, why } = event
      if (type === 'failed')
        log.warn({ stream, why }, 'FFmpeg that makes AAC of sound ended, it is started again')
      else
        log.warn({ stream, why }, 'viewers get no sound of this stream: it is not AAC and cannot be made AAC')
    },
    forward: (event: ForwardEvent) => {
      const { stream, target } = event
      if (event.type === 'live') log.info({ stream, target }, 'forward live')
      else log.warn({ stream, target, reason: event.error.message }, 'forward failed, it is tried again')
    },
    viewerWorker: (worker: number, why: string) =>
      log.error({ worker, why }, 'a process that sends to viewers died, it is started again'),
    nmsSecrets: ({ play, publish }: Config['auth']['nms']) => {
      if (play === null || play !== publish) return
      log.warn('auth.nms: with one secret for both, whoever may watch may also publish')
    },
    rtmpOff: (error: AppError) => log.warn({ reason: error.message }, 'no RTMP: rtmp.port is not set'),
    grpcOff: (error: AppError) =>
      log.warn({ reason: error.message }, 'gRPC only on its socket: grpc.port is not set'),
    hook: (host: string, action: string, error: AppError) =>
      log.warn({ host, action, reason: error.message }, 'a hook was given up'),
    clock: (stepMs: number) => log.warn({ stepMs }, 'the clock of this machine was set'),
    fault: (message: string, error: unknown) => log.error({ err: error }, message),
  }
}
