import { createHash, randomBytes } from 'node:crypto'
import type { z } from 'zod'
import { agentStateBytesMax, enrolCodeMs } from '../../shared/cloud-limits.ts'
import type { CodeCreated, enrolRequest, WantedConfig } from '../../shared/contract/agents-api.ts'
import { AppError } from '../../shared/error.ts'
import { type AgentRow, addToken, changeAgent, getAgent, listAgents, revokeTokens } from '../rows/access.ts'
import { addCode, useCode } from '../rows/enrolment.ts'
import type { ApiPorts } from './route.ts'

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ' // Crockford: nothing in it is taken for something else.

/** 80 bits in sixteen letters. */
function newCode(): string {
  const bits = BigInt(`0x${randomBytes(10).toString('hex')}`)
  const letter = (i: number) => letters[Number((bits >> BigInt(5 * i)) & 31n)]
  const text = Array.from({ length: 16 }, (_, i) => letter(i)).join('')
  return text.replaceAll(/(.{4})(?=.)/g, '$1-')
}

/** For a new agent, or for one that is there: then the new machine takes its place. */
export async function createCode(ports: ApiPorts, agent: string, createdBy: string): Promise<CodeCreated> {
  const { catalogue, clock, publicUrl } = ports
  const isAlike = (name: string) => name !== agent && name.toLowerCase() === agent.toLowerCase()
  const alike = (await listAgents(catalogue)).find((row) => isAlike(row.agent))
  if (alike) {
    throw new AppError(
      'AlreadyExists',
      `There is an agent ${alike.agent}: write its name so, or take another.`,
      {
        zh: `已有采集端 ${alike.agent}：请使用相同写法，或另取名称。`,
      },
    )
  }
  const code = newCode()
  const createdAt = clock.nowMs()
  const expiresAt = createdAt + enrolCodeMs
  await addCode(catalogue, { sha256: hashOf(code), agent, createdBy, createdAt, expiresAt })
  return { agent, code, url: `${publicUrl?.replace(/\/+$/, '') ?? ''}/#${code}`, expiresAt }
}

/** The token's hash is stored, whoever held the agent's place before has no token and no lease any more. */
export async function enrol(
  { catalogue, clock }: ApiPorts,
  request: z.output<typeof enrolRequest>,
): Promise<{ agent: string; nowMs: number }> {
  const nowMs = clock.nowMs()
  const { code, tokenSha256 } = request
  const agent = await useCode(catalogue, hashOf(code), { tokenSha256, agent: request.agent, nowMs })
  const isOlder = (token: { agent?: string | undefined; sha256: string }) =>
    token.agent === agent && token.sha256 !== tokenSha256
  await revokeTokens(catalogue, isOlder, nowMs)
  await changeAgent(
    catalogue,
    agent,
    nowMs,
    ({ lease: _lease, twin: _twin, revokedAt: _revoked, ...row }) => row,
  )
  const token = {
    sha256: tokenSha256,
    name: `device-${agent}`,
    role: 'device' as const,
    agent,
    createdAt: nowMs,
  }
  await addToken(catalogue, token).catch((error: unknown) => {
    if (AppError.from(error).kind !== 'Aborted') throw error // Aborted: it is there, from a first attempt.
  })
  return { agent, nowMs }
}

/** Its uploads are refused from now on; what it has sent stays. */
export async function revokeAgent({ catalogue, clock }: ApiPorts, agent: string): Promise<void> {
  await findAgent({ catalogue }, agent)
  const nowMs = clock.nowMs()
  await revokeTokens(catalogue, (token) => token.agent === agent, nowMs)
  await changeAgent(catalogue, agent, nowMs, (row) => ({ ...row, revokedAt: nowMs }))
}

export async function findAgent(
  { catalogue }: Pick<ApiPorts, 'catalogue'>,
  agent: string,
): Promise<AgentRow> {
  const row = await getAgent(catalogue, agent)
  if (row) return row
  throw new AppError('NotFound', `There is no agent ${agent}.`, { zh: `没有采集端 ${agent}。` })
}

/** The next version of what is wanted; the agent hears of it at its next heartbeat. */
export async function setWanted(
  ports: ApiPorts,
  agent: string,
  wanted: WantedConfig,
  ifVersion: number | undefined,
): Promise<AgentRow> {
  await findAgent(ports, agent)
  if (JSON.stringify(wanted).length > agentStateBytesMax) {
    throw new AppError('InvalidArgument', `The configuration is longer than ${agentStateBytesMax} bytes.`)
  }
  return await changeAgent(ports.catalogue, agent, ports.clock.nowMs(), (row) => {
    const version = row.wanted?.version ?? 0
    if (ifVersion !== undefined && ifVersion !== version) {
      throw new AppError(
        'Aborted',
        `The configuration of ${agent} is at version ${version} now: read it again.`,
        {
          zh: `采集端 ${agent} 的配置已是版本 ${version}，请重新读取。`,
        },
      )
    }
    return { ...row, wanted: { version: version + 1, wanted } }
  })
}
