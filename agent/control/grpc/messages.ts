/** The messages of edgereel.proto as proto-loader gives and takes them: absent messages are null, int64 are numbers. */

export type Timestamp = { seconds: number; nanos: number }
export type Source = { source?: 'name' | 'uri'; name?: string; uri?: string }

export type OpenStreamRequest = Source & { track: string }
export type StartRecordingRequest = {
  recordingId: string
  streams: string[]
  startTime: Timestamp | null
  duration: Timestamp | null
  title: string
  labels: string[]
  requireAll: boolean
  require: string[]
}
export type RecordingReportRequest = { recordingId: string }
export type RecordingReportMessage = {
  recordingId: string
  state: string
  from: Timestamp
  to?: Timestamp
  streams: {
    name: string
    pictures: number
    audioFrames: number
    first?: Timestamp
    last?: Timestamp
    gaps: { from: Timestamp; to: Timestamp; cause: string; units?: number }[]
    missing: Timestamp
    clockBoundMs?: number
    clockSource?: string
    segments: number
  }[]
}
export type StopRecordingRequest = { recordingId: string }
export type CaptureSnapshotRequest = Source & { time: Timestamp | null }

export type StartRecordingResponse = {
  recordingId: string
  streams: { name: string; state: string; startsAt: Timestamp }[]
}
export type StopRecordingResponse = {
  recordingId: string
  state: string
  streams: { name: string; from: Timestamp; to?: Timestamp; segments: number; gaps: number }[]
}
export type CaptureSnapshotResponse = { jpeg: Uint8Array; takenAt: Timestamp }
export type ListStreamsResponse = { streams: StreamMessage[] }
export type StreamMessage = {
  name: string
  kind?: string
  state: string
  videoCodec?: string
  width?: number
  height?: number
  audioCodec?: string
  fps: number
  bitsPerSecond: number
  viewers: number
  lastUnitAt?: Timestamp
  recordings: string[]
}

export type AccessUnitMessage = {
  codec: string
  dts: number
  pts: number
  key: boolean
  payload: Uint8Array
  track: string
  epoch: number
  arrivedAt: number
  damaged: boolean
}
/** What is not the same for every client that gets a unit. */
export type UnitNote = {
  config?: {
    codecString: string
    width?: number
    height?: number
    rotation?: number
    parameterSets?: Uint8Array
    sampleRate?: number
    channels?: number
    specificConfig?: Uint8Array
  }
  dropped?: { units: number; bytes: number; totalUnits: number }
}

export function timestampOf(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000)
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) }
}

/** Of a Timestamp or a Duration. */
export function millisecondsOf({ seconds, nanos }: Timestamp): number {
  return seconds * 1000 + Math.round(nanos / 1e6)
}
