import type {
  AgentStats,
  RecordingReport,
  RecordingStarted,
  RingPolicy,
} from '../../shared/contract/agent-api.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { PhoneBroadcast } from '../ingest/phone-broadcast.ts'
import type { Phones } from '../ingest/phones.ts'
import type { Sources } from '../ingest/sources.ts'
import { parseVehicleStream } from '../ingest/vehicle.ts'
import { captureOptions } from '../protocol/phone-start.ts'
import type { Recordings } from '../record/recordings.ts'
import type { RingStats } from '../ring/types.ts'
import type { Uploader, UploadState } from '../upload/uploader.ts'
import type { AgentFile } from './agent-file.ts'
import type { Commands, Snapshot, SnapshotRequest, StartRecordingRequest } from './commands-port.ts'
import type { LoopDelay } from './health.ts'
import { awaitRequired } from './required-streams.ts'
import { known, type StreamParts, streamCommands } from './stream-commands.ts'
import { StreamPolicies, type StreamPolicy } from './stream-policies.ts'

export type CommandParts = Pick<StreamParts, 'hub'> & {
  /** The agent's. */
  name: string
  version: string
  clock: Clock
  config: {
    streams: Readonly<Record<string, StreamPolicy & { source?: string | undefined }>>
    vehicles?: { ring: RingPolicy }
  }
  file: AgentFile
  phones: Phones
  broadcast: PhoneBroadcast
  /** Vehicles that are called when somebody wants them. */
  wants?: {
    nameOf(name: string): string | undefined
    always(stream: string, always: boolean): void
    recordingOf(stream: string): string | undefined
  }
  sources: Pick<Sources, 'set' | 'setAlways' | 'check' | 'hold' | 'info' | 'list' | 'nameOf' | 'remove'>
  recordings: Recordings
  report: (recording: Recording) => Promise<RecordingReport>
  recorders: { setPolicy(stream: string, policy: StreamPolicy['ring']): void }
  ring: {
    stats(): RingStats
    setStreamPolicy(stream: string, policy: { upload: StreamPolicy['upload'] }): void
  }
  uploader: Pick<Uploader, 'status'>
  snapshots?: { take(request: SnapshotRequest): Promise<Snapshot> }
  loop: LoopDelay
  live?: () => NonNullable<AgentStats['live']>
  door: NonNullable<AgentStats['door']>
}

/** What a running agent does when it is asked: by the API, the page, the command line or the terminal. */
export function createCommands(parts: CommandParts): Commands {
  const { hub, phones, broadcast, recordings, ring, recorders, sources, file, config, clock } = parts
  const policies = new StreamPolicies({
    file,
    configured: config.streams,
    usual: (stream) => (parseVehicleStream(stream) ? config.vehicles?.ring : undefined),
    apply: (stream, policy, source) => {
      recorders.setPolicy(stream, policy.ring)
      ring.setStreamPolicy(stream, policy)
      sources.setAlways(stream, policy.ring === 'always')
      parts.wants?.always(stream, policy.ring === 'always')
      if (source !== undefined) sources.set(stream, source)
    },
  })
  const phoneNames = () => phones.connected().map((phone) => phone.name)
  const vehicleName = (name: string) => parts.wants?.nameOf(name)
  const streams: StreamParts = { hub, policies, sources, recordings, phoneNames, vehicleName, clock }
  const startedMs = clock.monotonicMs()
  return {
    streams: streamCommands(streams),
    recordings: {
      start: (request) => startRecording(request, parts, streams),
      stop: (id) => recordings.stop(id),
      report: async (id) => await parts.report(await recordings.get(id)),
      list: (options) => recordings.list(options),
    },
    phones: {
      list: async () => phones.list(),
      allow: (id) => phones.allow(id),
      start: async (request) => await broadcast.start(captureOptions(request)),
      stop: () => broadcast.stop(),
    },
    ...snapshotCommand(parts.snapshots, streams),
    stats: async () => agentStats(parts, clock.monotonicMs() - startedMs),
  }
}

function snapshotCommand(
  snapshots: CommandParts['snapshots'],
  streams: StreamParts,
): Pick<Commands, 'snapshot'> {
  if (!snapshots) return {}
  return {
    snapshot: (request) => snapshots.take({ ...request, stream: known(request.stream, streams) }),
  }
}

async function startRecording(
  request: StartRecordingRequest,
  {
    recordings,
    hub,
    sources,
    clock,
    wants,
  }: Pick<CommandParts, 'recordings' | 'hub' | 'sources' | 'clock' | 'wants'>,
  streams: StreamParts,
): Promise<RecordingStarted> {
  const { require: wanted = [], ...claim } = request
  const names = request.streams.map((name) => known(name, streams))
  const required = wanted === 'all' ? names : wanted.map((name) => known(name, streams))
  const isRepeated = request.id !== undefined && (await recordings.has(request.id))
  if (!isRepeated && wants) refuseHistories(names, wants)
  using _held = isRepeated ? undefined : await awaitRequired(required, { hub, sources, clock })
  const recording = await recordings.start({ ...claim, streams: names })
  return {
    id: recording.id,
    streams: recording.streams.map(({ name, from }) => ({
      name,
      state: stateOf(recording, streams.hub.stream(name)?.state === 'live'),
      startsAt: from,
    })),
  }
}

/** What a vehicle recorded long ago has no place in a recording of now: it would be empty. */
function refuseHistories(names: readonly string[], wants: NonNullable<CommandParts['wants']>): void {
  for (const name of names) {
    const id = wants.recordingOf(name)
    if (id === undefined) continue
    throw new AppError(
      'AlreadyExists',
      `${name} is being recorded already, with the vehicle’s own times, as ${id}`,
      {
        zh: `${name} 已在以车辆自身时间录制：${id}。`,
      },
    )
  }
}

function stateOf({ state }: Recording, live: boolean): RecordingStarted['streams'][number]['state'] {
  if (state !== 'open') return state
  return live ? 'recording' : 'waiting'
}

function agentStats(parts: CommandParts, uptimeMs: number): AgentStats {
  const { name, version, clock, hub, phones, ring, uploader, loop, live, door } = parts
  const all = hub.streams()
  const liveCount = all.filter(({ state }) => state === 'live').length
  const { user, system } = process.cpuUsage()
  return {
    agent: name,
    version,
    now: clock.nowMs(),
    uptimeMs,
    process: {
      cpuSeconds: (user + system) / 1e6,
      rssBytes: process.memoryUsage.rss(),
      eventLoopDelayP99Ms: loop.p99Ms(),
    },
    streams: { live: liveCount, waiting: all.length - liveCount },
    viewers: all.reduce((sum, { viewers }) => sum + viewers, 0),
    ...(live ? { live: live() } : {}),
    phones: phones.counts,
    door,
    ring: ring.stats(),
    upload: uploadStats(uploader),
  }
}

type Words = { message: string; messageZh?: string }

const waitingWords: Record<Exclude<UploadState, 'ok'>, Words> = {
  paused: { message: 'uploads wait for their hours', messageZh: '上传正在等待允许的时段' },
  offline: { message: 'the cloud cannot be reached', messageZh: '无法连接云端' },
  certificate: {
    message: 'the certificate of the cloud is not the right one',
    messageZh: '云端的证书不正确',
  },
  throttled: { message: 'the cloud asks for patience', messageZh: '云端要求稍后再试' },
  auth: { message: 'the cloud does not accept the token of this agent', messageZh: '云端不接受本机的令牌' },
  refused: { message: 'the cloud refuses what is uploaded', messageZh: '云端拒绝上传的内容' },
  denied: { message: 'the store denies uploads', messageZh: '存储拒绝上传' },
}

/** What the cloud said, else what the state means. */
function waitingFor(state: Exclude<UploadState, 'ok'>, said: Words | undefined): Words {
  const { message, messageZh } = said ?? waitingWords[state]
  return { message, ...(messageZh !== undefined && { messageZh }) }
}

function uploadStats(uploader: Pick<Uploader, 'status'>): NonNullable<AgentStats['upload']> {
  const { state, pending, pendingBytes, lastSuccessMs, error } = uploader.status()
  return {
    state: state !== 'ok' ? 'waiting' : pending > 0 ? 'working' : 'idle',
    pendingSegments: pending,
    pendingBytes,
    ...(lastSuccessMs === undefined ? {} : { lastSuccessAt: lastSuccessMs }),
    ...(state === 'ok' ? {} : waitingFor(state, error)),
  }
}
