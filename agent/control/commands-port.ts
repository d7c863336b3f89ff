import type {
  AgentStats,
  PhoneInfo,
  PhonesAnswer,
  PhonesStopped,
  RecordingStarted,
  StartPhones,
  StreamInfo,
  StreamSettings,
} from '../../shared/contract/agent-api.ts'
import type { Recording } from '../../shared/contract/recording.ts'

/** As `POST recordings` after its times were read: wall ms since the epoch. */
export type StartRecordingRequest = {
  streams: string[]
  /** Absent: now. */
  from?: number
  to?: number
  durationMs?: number
  title?: string
  labels: string[]
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
    put(name: string, settings: StreamSettings): Promise<StreamInfo>
    remove(name: string): Promise<void>
  }
  recordings: {
    /** Answered only when the claim is durable. */
    start(request: StartRecordingRequest): Promise<RecordingStarted>
    /** `NotFound`; stopping a closed recording answers it as it is. */
    stop(id: string): Promise<Recording>
    /** Newest first. */
    list(options: { limit: number; cursor?: string }): Promise<{ recordings: Recording[]; cursor?: string }>
  }
  phones: {
    list(): Promise<PhoneInfo[]>
    allow(id: string): Promise<PhoneInfo>
    start(settings: StartPhones): Promise<PhonesAnswer>
    stop(): Promise<PhonesStopped>
  }
  stats(): Promise<AgentStats>
}
