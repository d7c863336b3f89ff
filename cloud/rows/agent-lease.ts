import { agentOfflineMs } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import type { Catalogue, Row } from '../ports.ts'
import { type AgentRow, changeAgent, getAgent } from './access.ts'

/** `instance` is the machine's own number; undefined: the agent on the same PC, which the data directory's lock keeps single. */
export type Machine = { agent: string; instance: string | undefined; nowMs: number }

/**
 * One machine at a time is an agent: the first to say so, until it has not been heard for three heartbeats. A disk
 * that was copied to a second machine would otherwise upload other pictures under the same names. What `change`
 * makes of the row is written together with the lease; a refused machine leaves its mark as `twin`, and gets
 * `PermissionDenied`.
 */
export async function holdLease(
  catalogue: Catalogue,
  machine: Machine,
  change: (row: AgentRow) => Row = (row) => row,
): Promise<AgentRow> {
  const { agent, instance, nowMs } = machine
  const row = await changeAgent(catalogue, agent, nowMs, (before) => {
    if (instance === undefined) return change(before)
    if (isOthers(before, machine)) return { ...before, twin: { instance, seenAt: nowMs } }
    const since = before.lease?.instance === instance ? before.lease.since : nowMs
    return { ...change(before), lease: { instance, until: nowMs + agentOfflineMs, since } }
  })
  if (isOthers(row, machine)) throw twinRefused(agent)
  return row
}

/** As `holdLease`, without a write while the lease is this machine's: for every call between two heartbeats. */
export async function checkLease(catalogue: Catalogue, machine: Machine): Promise<void> {
  if (machine.instance === undefined) return
  const lease = (await getAgent(catalogue, machine.agent))?.lease
  const isOurs = lease?.instance === machine.instance && lease.until > machine.nowMs
  if (!isOurs) await holdLease(catalogue, machine)
}

function isOthers({ lease }: AgentRow, { instance, nowMs }: Machine): boolean {
  return instance !== undefined && lease !== undefined && lease.instance !== instance && lease.until > nowMs
}

function twinRefused(agent: string): AppError {
  return new AppError(
    'PermissionDenied',
    `Another machine is the agent ${agent} already: enrol this one under a name of its own, with a data directory of its own.`,
    { zh: `已有另一台机器以采集端 ${agent} 的身份运行：请为本机使用独立的数据目录并另行注册。` },
  )
}
