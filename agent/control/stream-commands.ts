import type { StreamHealth, StreamInfo } from '../../shared/contract/agent-api.ts'
import { AppError } from '../../shared/error.ts'
import { sourceSilenceMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Hub } from '../hub/hub.ts'
import type { Stream } from '../hub/stream.ts'
import type { SourceInfo, Sources } from '../ingest/sources.ts'
import type { Commands } from './commands-port.ts'
import type { StreamPolicies } from './stream-policies.ts'

export type StreamParts = {
  hub: Pick<Hub, 'stream' | 'streams' | 'remove'>
  policies: StreamPolicies
  /** Cameras that are fetched from. */
  sources: Pick<Sources, 'check' | 'info' | 'list' | 'nameOf' | 'remove'>
  recordings: { of(stream: string): string[] }
  /** Phones that are there but have not filmed: streams to come. */
  phoneNames: () => string[]
  /** A channel of a vehicle that may be called, whether it was ever seen or not. */
  vehicleName?: (name: string) => string | undefined
  clock: Clock
}

/** What may be asked about streams. */
export function streamCommands(parts: StreamParts): Commands['streams'] {
  const { hub, policies, sources } = parts
  return {
    list: async () => streamNames(parts).map((name) => infoOf(name, parts)),
    get: async (name) => infoOf(known(name, parts), parts),
    health: async (name) => healthOf(known(name, parts), parts),
    put: async (name, settings) => {
      if (settings.source !== undefined) sources.check(settings.source)
      const stream = sources.nameOf(name) ?? hub.stream(name)?.name ?? name
      await policies.set(stream, settings)
      return infoOf(stream, parts)
    },
    remove: async (name) => {
      const stream = known(name, parts)
      await sources.remove(stream)
      hub.remove(stream)
      await policies.remove(stream)
    },
  }
}

export function streamNames({ hub, policies, sources }: StreamParts): string[] {
  const live = [...hub.streams(), ...sources.list()].map(({ name }) => name)
  return [...new Set([...live, ...policies.names()])].sort()
}

/** The name as the stream has it. `NotFound`, with those that there are. */
export function known(name: string, parts: StreamParts): string {
  const names = [...new Set([...streamNames(parts), ...parts.phoneNames()])]
  const found = names.find((candidate) => candidate.toLowerCase() === name.toLowerCase())
  if (found !== undefined) return found
  const vehicle = parts.vehicleName?.(name)
  if (vehicle !== undefined) return vehicle
  const others = names.length > 0 ? ` There are: ${names.slice(0, 20).join(', ')}.` : ''
  throw new AppError('NotFound', `There is no stream ${name}.${others}`, { zh: `没有流 ${name}。` })
}

function infoOf(name: string, { hub, policies, sources, recordings }: StreamParts): StreamInfo {
  const stream = hub.stream(name)
  const { stats } = stream ?? { stats: nothingYet }
  const { units, bytes, bitsPerSecond, fps, gaps, viewers, lastUnitAt } = stats
  return {
    name,
    state: stream?.state ?? 'waiting',
    ...(stream?.kind ? { kind: stream.kind } : {}),
    ...sourceOf(sources.info(name)),
    ...policies.of(name),
    ...(stream ? configsOf(stream) : {}),
    ...{ units, bytes, bitsPerSecond, fps, gaps, viewers },
    ...(lastUnitAt === undefined ? {} : { lastUnitAt }),
    recordings: recordings.of(name),
  }
}

function healthOf(name: string, { hub, sources, clock }: StreamParts): StreamHealth {
  const stream = hub.stream(name)
  const { camera } = sourceOf(sources.info(name))
  const { lastUnitAt } = stream?.stats ?? nothingYet
  const isFresh = lastUnitAt !== undefined && clock.nowMs() - lastUnitAt < sourceSilenceMs
  const isLive = stream?.state === 'live' && (camera?.state ?? 'live') === 'live'
  const state = camera?.state ?? stream?.state ?? 'waiting'
  const { reason, reasonZh } = camera ?? {}
  return {
    ...{ name, state, live: camera ? camera.state !== 'offline' : isLive, ready: isLive && isFresh },
    ...(lastUnitAt === undefined ? {} : { lastUnitAt }),
    ...(reason === undefined ? {} : { reason }),
    ...(reasonZh === undefined ? {} : { reasonZh }),
  }
}

function sourceOf(info: SourceInfo | undefined): Pick<StreamInfo, 'source' | 'camera'> {
  if (!info) return {}
  const { state, since, failures, error } = info.status
  const { message: reason, messageZh: reasonZh } = error ?? {}
  const why = { ...(reason === undefined ? {} : { reason }), ...(reasonZh === undefined ? {} : { reasonZh }) }
  return { source: info.display, camera: { state, since, failures, ...why } }
}

const nothingYet: Stream['stats'] = {
  ...{ units: 0, bytes: 0, bitsPerSecond: 0, fps: 0, gaps: 0, viewers: 0 },
  ...{ lastUnitAt: undefined, keyFrameMs: undefined },
}

function configsOf({ video, audio }: Stream): Pick<StreamInfo, 'video' | 'audio'> {
  const described: Pick<StreamInfo, 'video' | 'audio'> = {}
  if (video) {
    const { codec, codecString, width, height, rotation } = video
    described.video = { codec, codecString, width, height, rotation }
  }
  if (audio) {
    const { codec, codecString, sampleRate, channels } = audio
    described.audio = { codec, codecString, sampleRate, channels }
  }
  return described
}
