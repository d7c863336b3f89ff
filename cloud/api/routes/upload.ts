import {
  recordingsRequest,
  recordingsResponse,
  segmentsRequest,
  segmentsResponse,
  statusRequest,
  statusResponse,
} from '../../../shared/contract/upload-api.ts'
import { agentOf, isDevice } from '../caller.ts'
import { type ApiPorts, type Route, route } from '../route.ts'
import { recordingAnswer, segmentStatus, segmentTargets } from '../upload-answers.ts'

/** For agents. The agent is the token's: no request can name a key below another's prefix. */
export function uploadRoutes(ports: ApiPorts): Route[] {
  const shape = { method: 'POST', access: isDevice } as const
  return [
    route({
      ...shape,
      path: '/v1/agent/segments',
      summary: 'Signed addresses for the files of segments',
      body: segmentsRequest,
      answer: segmentsResponse,
      async handle({ body, caller }) {
        const agent = agentOf(caller)
        return {
          segments: await Promise.all(body.segments.map((item) => segmentTargets(ports, agent, item))),
        }
      },
    }),
    route({
      ...shape,
      path: '/v1/agent/segments/status',
      summary: 'Whether segments are stored as they were sent, and are MP4s',
      body: statusRequest,
      answer: statusResponse,
      async handle({ body, caller }) {
        const agent = agentOf(caller)
        return { segments: await Promise.all(body.segments.map((item) => segmentStatus(ports, agent, item))) }
      },
    }),
    route({
      ...shape,
      path: '/v1/agent/recordings',
      summary: 'Which revisions of recordings are stored, and signed addresses for the others',
      body: recordingsRequest,
      answer: recordingsResponse,
      async handle({ body, caller }) {
        const agent = agentOf(caller)
        return {
          recordings: await Promise.all(body.recordings.map((item) => recordingAnswer(ports, agent, item))),
        }
      },
    }),
  ]
}
