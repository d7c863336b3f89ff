import type {
  AgentStats,
  PhoneInfo,
  PhonesAnswer,
  PhonesStopped,
  RecordingStarted,
  Role,
  SessionInfo,
  StartPhones,
  StreamInfo,
  TokenInfo,
} from '../shared/contract/agent-api.ts'
import type { AgentItem } from '../shared/contract/agents-api.ts'
import type { Health, RecordingDetail, RecordingItem } from '../shared/contract/api.ts'
import type { TaskRequest, UploadCreated, UploadRequest } from '../shared/contract/beatsync-api.ts'
import type { Recording } from '../shared/contract/recording.ts'
import type { Task } from '../shared/contract/task.ts'
import type {
  HistoryControl,
  HistoryInfo,
  HistoryItem,
  PlayHistory,
  VehicleChannelInfo,
  VehiclesAnswer,
} from '../shared/contract/vehicle-api.ts'
import { call, pathOf } from './http.ts'

/** Everything that the page asks of the agent (`/agent/v1`) and of the cloud (`/v1`). Throws `ApiError`. */

export type StartRequest = {
  streams: string[]
  from?: string
  title?: string
}
export type ArchiveFilter = {
  title?: string | undefined
  stream?: string | undefined
  from?: number | undefined
  to?: number | undefined
  cursor?: string | undefined
}
/** Its address is known only to who made it. */
export type OldShare = { id: string; createdAt: number; createdBy: string; expiresAt: number }
export type Share = { id: string; url: string; expiresAt: number }
export type NewToken = { name: string; role: Role; stream?: string }

const part = encodeURIComponent
const historyOf = (vehicle: string) => `/agent/v1/vehicles/${part(vehicle)}/history`

export const agent = {
  streams: async (signal: AbortSignal) =>
    (await call<{ streams: StreamInfo[] }>('GET', '/agent/v1/streams', undefined, signal)).streams,
  /** The newest. */
  recordings: async (limit: number, signal: AbortSignal) => {
    const path = pathOf('/agent/v1/recordings', { limit })
    return (await call<{ recordings: Recording[] }>('GET', path, undefined, signal)).recordings
  },
  stream: (name: string, signal: AbortSignal) =>
    call<StreamInfo>('GET', `/agent/v1/streams/${part(name)}`, undefined, signal),
  phones: async (signal: AbortSignal) =>
    (await call<{ phones: PhoneInfo[] }>('GET', '/agent/v1/phones', undefined, signal)).phones,
  stats: (signal: AbortSignal) => call<AgentStats>('GET', '/agent/v1/stats', undefined, signal),
  startRecording: (request: StartRequest) => call<RecordingStarted>('POST', '/agent/v1/recordings', request),
  stopRecording: (id: string) => call<unknown>('POST', `/agent/v1/recordings/${part(id)}/stop`, {}),
  allowPhone: (id: string) => call<PhoneInfo>('POST', `/agent/v1/phones/${part(id)}/allow`, {}),
  startPhones: (settings: StartPhones) => call<PhonesAnswer>('POST', '/agent/v1/phones/start', settings),
  stopPhones: () => call<PhonesStopped>('POST', '/agent/v1/phones/stop', {}),
  session: (signal: AbortSignal) => call<SessionInfo>('GET', '/agent/v1/session', undefined, signal),
  openSession: (token: string) => call<SessionInfo>('POST', '/agent/v1/session', { token }),
  closeSession: () => call<unknown>('DELETE', '/agent/v1/session'),
  tokens: async (signal: AbortSignal) =>
    (await call<{ tokens: TokenInfo[] }>('GET', '/agent/v1/tokens', undefined, signal)).tokens,
  createToken: (request: NewToken) =>
    call<TokenInfo & { token: string }>('POST', '/agent/v1/tokens', request),
  vehicles: (signal: AbortSignal) => call<VehiclesAnswer>('GET', '/agent/v1/vehicles', undefined, signal),
  vehicle: (name: string, signal: AbortSignal) =>
    call<VehicleChannelInfo>('GET', `/agent/v1/vehicles/${part(name)}`, undefined, signal),
  queryHistory: async (vehicle: string, range: { from: number; to: number }, signal: AbortSignal) =>
    (await call<{ items: HistoryItem[] }>('POST', `${historyOf(vehicle)}/query`, range, signal)).items,
  playHistory: (vehicle: string, request: PlayHistory) =>
    call<HistoryInfo>('POST', historyOf(vehicle), request),
  controlHistory: (vehicle: string, control: HistoryControl) =>
    call<HistoryInfo>('POST', `${historyOf(vehicle)}/control`, control),
  revokeToken: (id: string) => call<unknown>('DELETE', `/agent/v1/tokens/${part(id)}`),
}

export const cloud = {
  recordings: (filter: ArchiveFilter, signal: AbortSignal) =>
    call<{ recordings: RecordingItem[]; cursor?: string }>(
      'GET',
      pathOf('/v1/recordings', { limit: 24, ...filter }),
      undefined,
      signal,
    ),
  recording: (id: string, signal: AbortSignal) =>
    call<RecordingDetail>('GET', `/v1/recordings/${part(id)}`, undefined, signal),
  deleteRecording: (id: string) => call<unknown>('DELETE', `/v1/recordings/${part(id)}`),
  hold: (id: string, hold: boolean) => call<unknown>('PUT', `/v1/recordings/${part(id)}/hold`, { hold }),
  share: (id: string, expiresInS: number) =>
    call<Share>('POST', `/v1/recordings/${part(id)}/shares`, { expiresInS }),
  shares: (id: string) => call<{ shares: OldShare[] }>('GET', `/v1/recordings/${part(id)}/shares`),
  revokeShare: (id: string) => call<unknown>('DELETE', `/v1/shares/${part(id)}`),
  tasks: (status: string | undefined, cursor: string | undefined, signal: AbortSignal) =>
    call<{ tasks: Task[]; cursor?: string }>(
      'GET',
      pathOf('/v1/tasks', { limit: 50, status, cursor }),
      undefined,
      signal,
    ),
  task: (id: string, signal: AbortSignal) => call<Task>('GET', `/v1/tasks/${part(id)}`, undefined, signal),
  beatsyncTasks: (signal: AbortSignal) =>
    call<{ tasks: Task[]; cursor?: string }>(
      'GET',
      pathOf('/v1/tasks', { kind: 'beatsync', limit: 20 }),
      undefined,
      signal,
    ),
  createUpload: (request: UploadRequest) => call<UploadCreated>('POST', '/v1/uploads', request),
  submitTask: (request: TaskRequest) => call<Task>('POST', '/v1/tasks', request),
  cancelTask: (id: string) => call<unknown>('POST', `/v1/tasks/${part(id)}/cancel`, {}),
  retryTask: (id: string) => call<unknown>('POST', `/v1/tasks/${part(id)}/retry`, {}),
  health: (signal: AbortSignal) => call<Health>('GET', '/v1/health', undefined, signal),
  agents: async (signal: AbortSignal) =>
    (await call<{ agents: AgentItem[] }>('GET', '/v1/agents', undefined, signal)).agents,
}

/** Addresses for `<img>`, `<video>` and links: each answers with a redirect to an expiring URL. */
export const links = {
  thumbnail: (id: string, stream?: string) => pathOf(`/v1/recordings/${part(id)}/thumbnail`, { stream }),
  download: (id: string, stream: string, filePart: number, format: 'mp4' | 'h264') =>
    pathOf(`/v1/recordings/${part(id)}/download`, { stream, part: filePart, format }),
  timestamps: (id: string, stream: string) => pathOf(`/v1/recordings/${part(id)}/timestamps.csv`, { stream }),
  /** A JPEG of now; `turn` makes the address a new one. */
  still: (stream: string, turn: number) => pathOf(`/agent/v1/streams/${part(stream)}/still`, { turn }),
  live: (stream: string) =>
    `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live/${part(stream)}.flv`,
}
