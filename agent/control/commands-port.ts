import type {
  AgentStats,
  PhoneInfo,
  PhonesAnswer,
  PhonesStopped,
  RecordingReport,
  RecordingStarted,
  StartPhones,
  StreamHealth,
  StreamInfo,
  StreamSettings,
} from '../../shared/contract/agent-api.ts'
import type { Recording } from '../../shared/contract/recording.ts'

/** As `POST recordings` after its times were read: wall ms since the epoch. */
export type StartRecordingRequest = {
  /** Makes the start idempotent: the same id again answers the recording that there is. Absent: one is made. */
  id?: string
  streams: string[]
  /** Absent: now. */
  from?: number
  to?: number
  durationMs?: number
  title?: string
  labels: string[]
  /** Streams that must give pictures before anything is started. */
  require?: 'all' | readonly string[]
}

export type SnapshotRequest = {
  stream: string
  /** Wall ms. Absent: now. */
  at?: number
  /** A picture of the stream, also where the camera would make a still itself. */
  ownPicture?: boolean
}
export type Snapshot = {
  jpeg: Uint8Array
  /** Wall ms of the picture. */
  takenAt: number
}

/**
 * What may be asked of a running agent. The HTTP door (and later gRPC and the terminal) checks who asks and the
 * form of the question; what is asked for is done behind this. Failures are `AppError`.
 */
export type Commands = {
  streams: {
    list(): Promise<StreamInfo[]>
    /** `NotFound` when there is no such stream. */
    get(name: string): Promise<StreamInfo>
    /** Never connects to its camera. `NotFound` as `get`. */
    health(name: string): Promise<StreamHealth>
    put(name: string, settings: StreamSettings): Promise<StreamInfo>
    remove(name: string): Promise<void>
  }
  recordings: {
    /** Answered only when the claim is durable. `FailedPrecondition` when a stream that is required is not there. */
    start(request: StartRecordingRequest): Promise<RecordingStarted>
    /** `NotFound`; stopping a closed recording answers it as it is. */
    stop(id: string): Promise<Recording>
    /** What came of it. `NotFound` as `stop`. */
    report(id: string): Promise<RecordingReport>
    /** Newest first. */
    list(options: { limit: number; cursor?: string }): Promise<{ recordings: Recording[]; cursor?: string }>
  }
  phones: {
    list(): Promise<PhoneInfo[]>
    allow(id: string): Promise<PhoneInfo>
    start(settings: StartPhones): Promise<PhonesAnswer>
    stop(): Promise<PhonesStopped>
  }
  /** A still of now, or the picture nearest to a time that the ring holds. Absent where nothing makes stills. */
  snapshot?(request: SnapshotRequest): Promise<Snapshot>
  stats(): Promise<AgentStats>
}
