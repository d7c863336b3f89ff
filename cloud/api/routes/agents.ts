import { agentOfflineMs, agentStateBytesMax } from '../../../shared/cloud-limits.ts'
import {
  type AgentItem,
  agentPath,
  agentsPage,
  codeCreated,
  codeRequest,
  configAnswer,
  configRequest,
  enrolled,
  enrolRequest,
  instanceHeader,
} from '../../../shared/contract/agents-api.ts'
import { empty } from '../../../shared/contract/api.ts'
import { type Heartbeat, heartbeatRequest, heartbeatResponse } from '../../../shared/contract/upload-api.ts'
import { AppError } from '../../../shared/error.ts'
import { type AgentRow, listAgents } from '../../rows/access.ts'
import { holdLease, type Machine } from '../../rows/agent-lease.ts'
import { createCode, enrol, findAgent, revokeAgent, setWanted } from '../agent-actions.ts'
import { agentOf, type Caller, isDevice, mayAdminister, mayRead } from '../caller.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

type StoredState = { agentVersion: string; agentState: Record<string, unknown> }

/** The agents: how they come in, how they are, what is wanted of them. */
export function agentRoutes(ports: ApiPorts): Route[] {
  return [...fleetRoutes(ports), ...enrolmentRoutes(ports), heartbeatRoute(ports)]
}

function fleetRoutes(ports: ApiPorts): Route[] {
  const { catalogue, clock } = ports
  return [
    route({
      method: 'GET',
      path: '/v1/agents',
      summary: 'The agents, and what each said last',
      access: mayRead,
      answer: agentsPage,
      async handle() {
        const rows = await listAgents(catalogue)
        return { agents: rows.map((row) => itemOf(row, clock.nowMs())) }
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/agents/{name}',
      summary: 'Revokes the tokens of an agent, at once; its recordings stay',
      access: mayAdminister,
      params: agentPath,
      answer: empty,
      async handle({ params }) {
        await revokeAgent(ports, params.name)
        return {}
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agents/{name}/config',
      summary: 'The configuration that is wanted of an agent, and what it has made of it',
      access: mayRead,
      params: agentPath,
      answer: configAnswer,
      handle: async ({ params }) => configOf(await findAgent(ports, params.name)),
    }),
    route({
      method: 'PUT',
      path: '/v1/agents/{name}/config',
      summary: 'Sets the configuration that is wanted of an agent: it hears of it within a minute',
      access: mayAdminister,
      params: agentPath,
      body: configRequest,
      answer: configAnswer,
      handle: async ({ params, body }) =>
        configOf(await setWanted(ports, params.name, body.wanted, body.ifVersion)),
    }),
  ]
}

function enrolmentRoutes(ports: ApiPorts): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/agents/codes',
      summary: 'A code that lets one machine in as this agent, once, within 15 minutes',
      access: mayAdminister,
      body: codeRequest,
      answer: codeCreated,
      status: 201,
      handle: ({ body, caller }) => createCode(ports, body.agent, caller.subject),
    }),
    route({
      method: 'POST',
      path: '/v1/agents/enroll',
      summary: 'Exchanges a code for the right to upload with the token of which this is the hash',
      access: 'anyone',
      body: enrolRequest,
      answer: enrolled,
      status: 201,
      handle: ({ body }) => enrol(ports, body),
    }),
  ]
}

function heartbeatRoute({ catalogue, clock }: ApiPorts): Route {
  return route({
    method: 'POST',
    path: '/v1/agent/heartbeat',
    summary: 'An agent tells its state and is told the configuration that is wanted',
    access: isDevice,
    body: heartbeatRequest,
    answer: heartbeatResponse,
    async handle({ body, caller, headers }) {
      const nowMs = clock.nowMs()
      const state = stateOf(body)
      const { wanted } = await holdLease(catalogue, machineOf(caller, headers, nowMs), (before) => ({
        ...before,
        seenAt: nowMs,
        state,
        ...(body.clock && { clock: body.clock }),
        ...(body.config && { reported: body.config }),
      }))
      return { nowMs, ...(wanted && { config: wanted }) }
    },
  })
}

/** Which machine speaks, as which agent. */
export function machineOf(caller: Caller, headers: Headers, nowMs: number): Machine {
  const given = headers.get(instanceHeader) ?? ''
  return { agent: agentOf(caller), instance: /^[0-9a-f]{16,64}$/.test(given) ? given : undefined, nowMs }
}

function stateOf(heartbeat: Heartbeat): StoredState {
  if (JSON.stringify(heartbeat.state).length > agentStateBytesMax) {
    throw new AppError('InvalidArgument', `The state is longer than ${agentStateBytesMax} bytes.`)
  }
  return { agentVersion: heartbeat.version, agentState: heartbeat.state }
}

function configOf({ wanted, reported }: AgentRow) {
  return { version: wanted?.version ?? 0, wanted: wanted?.wanted ?? {}, ...(reported && { reported }) }
}

function itemOf(row: AgentRow, nowMs: number): AgentItem {
  const stored = isObject(row.state) ? (row.state as Partial<StoredState>) : {}
  const lastSeen = row.seenAt ?? row.enrolledAt
  const isNear = (wallMs: number) => nowMs - wallMs < agentOfflineMs
  const { clock, wanted, reported, twin, revokedAt } = row
  return {
    name: row.agent,
    ...(stored.agentVersion === undefined ? {} : { version: stored.agentVersion }),
    lastSeen,
    online: row.seenAt !== undefined && isNear(row.seenAt),
    revoked: revokedAt !== undefined,
    ...(clock && { clock }),
    ...(wanted && { config: { wanted: wanted.version, ...(reported && { reported }) } }),
    ...(twin && isNear(twin.seenAt) && { twin: { lastSeen: twin.seenAt } }),
    state: stored.agentState ?? {},
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
