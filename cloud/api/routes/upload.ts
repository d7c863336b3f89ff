import {
  recordingsRequest,
  recordingsResponse,
  segmentsRequest,
  segmentsResponse,
  statusRequest,
  statusResponse,
} from '../../../shared/contract/upload-api.ts'
import { checkLease } from '../../rows/agent-lease.ts'
import { type Caller, isDevice } from '../caller.ts'
import { type ApiPorts, type Route, route } from '../route.ts'
import { recordingAnswer, segmentStatus, segmentTargets } from '../upload-answers.ts'
import { machineOf } from './agents.ts'

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
      async handle({ body, caller, headers }) {
        const agent = await admitted(ports, caller, headers)
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
      async handle({ body, caller, headers }) {
        const agent = await admitted(ports, caller, headers)
        return { segments: await Promise.all(body.segments.map((item) => segmentStatus(ports, agent, item))) }
      },
    }),
    route({
      ...shape,
      path: '/v1/agent/recordings',
      summary: 'Which revisions of recordings are stored, and signed addresses for the others',
      body: recordingsRequest,
      answer: recordingsResponse,
      async handle({ body, caller, headers }) {
        const agent = await admitted(ports, caller, headers)
        return {
          recordings: await Promise.all(body.recordings.map((item) => recordingAnswer(ports, agent, item))),
        }
      },
    }),
  ]
}

/** The agent that asks, unless another machine is it already. */
async function admitted(ports: ApiPorts, caller: Caller, headers: Headers): Promise<string> {
  const machine = machineOf(caller, headers, ports.clock.nowMs())
  await checkLease(ports.catalogue, machine)
  return machine.agent
}
