import type { z } from 'zod'
import {
  type Heartbeat,
  heartbeatResponse,
  recordingsResponse,
  type SegmentToUpload,
  segmentsResponse,
  statusResponse,
} from '../../shared/contract/upload-api.ts'
import { AppError } from '../../shared/error.ts'
import type { CloudClient } from './cloud-client.ts'

export type SegmentTargets = z.infer<typeof segmentsResponse>['segments'][number]
export type SegmentStatus = z.infer<typeof statusResponse>['segments'][number]
export type RecordingAnswer = z.infer<typeof recordingsResponse>['recordings'][number]
export type RecordingRevision = { id: string; rev: number; sizeBytes: number; sha256: string }

/** The four calls of an agent, typed. Answers are in the order of the questions. */
export type CloudApi = {
  targets(segments: SegmentToUpload[], signal: AbortSignal): Promise<SegmentTargets[]>
  status(segments: SegmentToUpload[], signal: AbortSignal): Promise<SegmentStatus[]>
  recordings(recordings: RecordingRevision[], signal: AbortSignal): Promise<RecordingAnswer[]>
  heartbeat(heartbeat: Heartbeat, signal: AbortSignal): Promise<z.infer<typeof heartbeatResponse>>
}

export function createCloudApi(client: CloudClient): CloudApi {
  const post = async <T>(
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    const answer = schema.safeParse(await client.call('POST', `/v1/agent/${path}`, body, signal))
    if (answer.success) return answer.data
    throw new AppError('Unavailable', 'The cloud gave an answer that this version does not understand.', {
      cause: answer.error,
      zh: '云端的应答无法识别，请检查版本。',
    })
  }
  const sameSize = <T>(asked: unknown[], answered: T[]): T[] => {
    if (asked.length === answered.length) return answered
    throw new AppError('Unavailable', `The cloud answered for ${answered.length} of ${asked.length}.`)
  }
  return {
    targets: async (segments, signal) =>
      sameSize(segments, (await post('segments', { segments }, segmentsResponse, signal)).segments),
    status: async (segments, signal) =>
      sameSize(segments, (await post('segments/status', { segments }, statusResponse, signal)).segments),
    recordings: async (recordings, signal) =>
      sameSize(recordings, (await post('recordings', { recordings }, recordingsResponse, signal)).recordings),
    heartbeat: (heartbeat, signal) => post('heartbeat', heartbeat, heartbeatResponse, signal),
  }
}
