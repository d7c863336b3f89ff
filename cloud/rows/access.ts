import { createHash } from 'node:crypto'
import { z } from 'zod'
import { reportedConfig, versionedConfig } from '../../shared/contract/agents-api.ts'
import { AppError } from '../../shared/error.ts'
import type { Catalogue, Row } from '../ports.ts'
import { changeRow } from './change-row.ts'
import { recordingKey } from './recording.ts'

export const roles = ['viewer', 'publisher', 'operator', 'admin', 'device'] as const

/** pk `TOK#<sha256 of the token>`, sk `META`; gsi1 lists them by name. */
export const tokenRow = z.looseObject({
  pk: z.string(),
  sk: z.string(),
  version: z.number().int(),
  sha256: z.string(),
  name: z.string(),
  role: z.enum(roles),
  /** A viewer's or publisher's only stream. */
  stream: z.string().optional(),
  /** A device's agent. */
  agent: z.string().optional(),
  createdAt: z.number(),
  expiresAt: z.number().optional(),
  revokedAt: z.number().optional(),
})
export type TokenRow = z.infer<typeof tokenRow>
export type NewToken = {
  sha256: string
  name: string
  role: (typeof roles)[number]
  stream?: string
  agent?: string
  createdAt: number
  expiresAt?: number
}

const tokenKey = (sha256: string) => ({ pk: `TOK#${sha256}`, sk: 'META' })

/** `Aborted` if the very same token is there. */
export async function addToken(catalogue: Catalogue, token: NewToken): Promise<void> {
  await catalogue.put({ ...tokenKey(token.sha256), gsi1pk: 'TOK', gsi1sk: token.name, ...token }, 'absent')
}

/** Undefined when unknown, revoked or past its time. */
export async function findToken(
  catalogue: Catalogue,
  sha256: string,
  nowMs: number,
): Promise<TokenRow | undefined> {
  const row = await catalogue.get(tokenKey(sha256).pk, 'META')
  const token = row && tokenRow.parse(row)
  if (!token || token.revokedAt !== undefined) return undefined
  return token.expiresAt !== undefined && token.expiresAt <= nowMs ? undefined : token
}

export async function listTokens(catalogue: Catalogue): Promise<TokenRow[]> {
  return (await listed(catalogue, 'TOK')).map((row) => tokenRow.parse(row))
}

/** All that are good and of which this holds. Returns how many. */
export async function revokeTokens(
  catalogue: Catalogue,
  which: (token: TokenRow) => boolean,
  nowMs: number,
): Promise<number> {
  const tokens = (await listTokens(catalogue)).filter(
    (token) => token.revokedAt === undefined && which(token),
  )
  for (const { pk, sk } of tokens) {
    await changeRow(catalogue, { pk, sk }, (row) => row && { ...row, revokedAt: nowMs })
  }
  return tokens.length
}

/** pk `A#<agent>`, sk `META`. `state` is what the heartbeat brought, `wanted` what it is answered. */
export const agentRow = z.looseObject({
  pk: z.string(),
  sk: z.string(),
  version: z.number().int(),
  agent: z.string(),
  enrolledAt: z.number(),
  seenAt: z.number().optional(),
  state: z.unknown().optional(),
  clock: z.object({ offsetMs: z.number(), boundMs: z.number() }).optional(),
  wanted: versionedConfig.optional(),
  reported: reportedConfig.optional(),
  /** The machine that is this agent now (agent-lease.ts). */
  lease: z.object({ instance: z.string(), until: z.number(), since: z.number() }).optional(),
  /** Another machine that would be this agent. */
  twin: z.object({ instance: z.string(), seenAt: z.number() }).optional(),
  revokedAt: z.number().optional(),
})
export type AgentRow = z.infer<typeof agentRow>

export async function getAgent(catalogue: Catalogue, agent: string): Promise<AgentRow | undefined> {
  const row = await catalogue.get(`A#${agent}`, 'META')
  return row && agentRow.parse(row)
}

/** Makes the row if there is none; `change` gets it and returns it with what is new. */
export async function changeAgent(
  catalogue: Catalogue,
  agent: string,
  nowMs: number,
  change: (row: AgentRow) => Row,
): Promise<AgentRow> {
  const key = { pk: `A#${agent}`, sk: 'META' }
  const fresh = { ...key, version: 0, gsi1pk: 'A', gsi1sk: agent, agent, enrolledAt: nowMs }
  const row = await changeRow(catalogue, key, (before) => change(agentRow.parse(before ?? fresh)))
  return agentRow.parse(row)
}

export async function listAgents(catalogue: Catalogue): Promise<AgentRow[]> {
  return (await listed(catalogue, 'A')).map((row) => agentRow.parse(row))
}

/** pk `R#<recording>`, sk `SHARE#<id>`; gsi1 by the hash of its secret. An id begins with its recording: `<recording>~…`. */
export const shareRow = z.looseObject({
  pk: z.string(),
  sk: z.string(),
  version: z.number().int(),
  id: z.string(),
  recording: z.string(),
  createdAt: z.number(),
  createdBy: z.string(),
  expiresAt: z.number(),
  revokedAt: z.number().optional(),
})
export type ShareRow = z.infer<typeof shareRow>

const shareKey = (id: string) => ({ pk: recordingKey(id.split('~')[0] ?? '').pk, sk: `SHARE#${id}` })

export async function addShare(
  catalogue: Catalogue,
  share: { id: string; secretSha256: string; createdAt: number; createdBy: string; expiresAt: number },
): Promise<void> {
  const { secretSha256, ...rest } = share
  const recording = share.id.split('~')[0] ?? ''
  const row = { ...shareKey(share.id), gsi1pk: `SHARE#${secretSha256}`, gsi1sk: share.id, recording, ...rest }
  await catalogue.put(row, 'absent')
}

/** By the hash of its secret. Undefined when unknown, revoked or past its time; read again from its own row, so that a revocation holds at once. */
export async function findShare(
  catalogue: Catalogue,
  secretSha256: string,
  nowMs: number,
): Promise<ShareRow | undefined> {
  const { rows } = await catalogue.query({ index: 'gsi1', pk: `SHARE#${secretSha256}`, limit: 1 })
  const row = rows[0] && (await catalogue.get(rows[0].pk, rows[0].sk))
  const share = row && shareRow.parse(row)
  return share && share.revokedAt === undefined && share.expiresAt > nowMs ? share : undefined
}

/** Those of a recording that are neither revoked nor past their time, oldest first. */
export async function listShares(
  catalogue: Catalogue,
  recording: string,
  nowMs: number,
): Promise<ShareRow[]> {
  const { rows } = await catalogue.query({ pk: recordingKey(recording).pk, prefix: 'SHARE#' })
  const shares = rows.map((row) => shareRow.parse(row))
  return shares
    .filter(({ revokedAt, expiresAt }) => revokedAt === undefined && expiresAt > nowMs)
    .sort((a, b) => a.createdAt - b.createdAt)
}

export async function revokeShare(catalogue: Catalogue, id: string, nowMs: number): Promise<void> {
  await changeRow(catalogue, shareKey(id), (row) => {
    if (!row) throw new AppError('NotFound', `There is no share ${id}.`)
    return { ...row, revokedAt: nowMs }
  })
}

/** Who did what to a recording: pk `R#<recording>`, sk `AUDIT#<time>#<random>`. */
export async function addAudit(
  catalogue: Catalogue,
  entry: { recording: string; atMs: number; who: string; what: string },
): Promise<void> {
  const sk = `AUDIT#${new Date(entry.atMs).toISOString()}#${crypto.randomUUID().slice(0, 8)}`
  await catalogue.put({ pk: recordingKey(entry.recording).pk, sk, ...entry }, 'any')
}

const viewEveryMs = 600_000

/** One entry for each viewer and ten minutes: a player asks for a growing playlist every few seconds. */
export async function addView(
  catalogue: Catalogue,
  entry: { recording: string; atMs: number; who: string; what: string },
): Promise<void> {
  const at = new Date(entry.atMs - (entry.atMs % viewEveryMs)).toISOString()
  const viewer = createHash('sha256').update(`${entry.who} ${entry.what}`).digest('hex').slice(0, 8)
  const key = { pk: recordingKey(entry.recording).pk, sk: `AUDIT#${at}#${viewer}` }
  await changeRow(catalogue, key, (before) => (before ? undefined : { ...key, ...entry }))
}

export const auditRow = z.looseObject({ atMs: z.number(), who: z.string(), what: z.string() })

/** Newest first. */
export async function listAudit(catalogue: Catalogue, recording: string, cursor: string | undefined) {
  const page = await catalogue.query({
    ...{ pk: recordingKey(recording).pk, prefix: 'AUDIT#', descending: true, limit: 100 },
    ...(cursor !== undefined && { cursor }),
  })
  return { ...page, rows: page.rows.map((row) => auditRow.parse(row)) }
}

async function listed(catalogue: Catalogue, gsi1pk: string): Promise<Row[]> {
  const all: Row[] = []
  let cursor: string | undefined
  do {
    const page = await catalogue.query({ index: 'gsi1', pk: gsi1pk, ...(cursor !== undefined && { cursor }) })
    all.push(...page.rows)
    cursor = page.cursor
  } while (cursor !== undefined)
  return all
}
