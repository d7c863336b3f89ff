import { type AgentItem, agentsPage } from '../../../shared/contract/api.ts'
import { type Heartbeat, heartbeatRequest, heartbeatResponse } from '../../../shared/contract/upload-api.ts'
import { AppError } from '../../../shared/error.ts'
import { agentOfflineMs, agentStateBytesMax } from '../../../shared/limits.ts'
import { type AgentRow, changeAgent, listAgents } from '../../rows/access.ts'
import { agentOf, isDevice, mayRead } from '../caller.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

type StoredState = { agentVersion: string; agentState: Record<string, unknown> }

export function agentRoutes({ catalogue, clock }: ApiPorts): Route[] {
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
      method: 'POST',
      path: '/v1/agent/heartbeat',
      summary: 'An agent tells its state and is told the configuration that is wanted',
      access: isDevice,
      body: heartbeatRequest,
      answer: heartbeatResponse,
      async handle({ body, caller }) {
        const nowMs = clock.nowMs()
        const state = stateOf(body)
        const row = await changeAgent(catalogue, agentOf(caller), nowMs, (before) => ({
          ...before,
          seenAt: nowMs,
          state,
        }))
        const { desired } = row
        return { nowMs, ...(isObject(desired) ? { config: desired } : {}) }
      },
    }),
  ]
}

function stateOf(heartbeat: Heartbeat): StoredState {
  if (JSON.stringify(heartbeat.state).length > agentStateBytesMax) {
    throw new AppError('InvalidArgument', `The state is longer than ${agentStateBytesMax} bytes.`)
  }
  return { agentVersion: heartbeat.version, agentState: heartbeat.state }
}

function itemOf(row: AgentRow, nowMs: number): AgentItem {
  const stored = isObject(row.state) ? (row.state as Partial<StoredState>) : {}
  const lastSeen = row.seenAt ?? row.enrolledAt
  return {
    name: row.agent,
    ...(stored.agentVersion === undefined ? {} : { version: stored.agentVersion }),
    lastSeen,
    online: nowMs - lastSeen < agentOfflineMs,
    state: stored.agentState ?? {},
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
