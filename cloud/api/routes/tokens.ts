import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import {
  type CloudToken,
  cloudTokenCreated,
  cloudTokenRequest,
  cloudTokensPage,
} from '../../../shared/contract/agents-api.ts'
import { empty } from '../../../shared/contract/api.ts'
import { name } from '../../../shared/contract/segment.ts'
import { AppError } from '../../../shared/error.ts'
import { addToken, listTokens, revokeTokens, type TokenRow } from '../../rows/access.ts'
import { mayAdminister } from '../caller.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

const tokenBytes = 32
const dayMs = 86_400_000
/** A token's id is the beginning of its hash: enough to tell it, nothing to guess it from. */
const idOf = (sha256: string) => sha256.slice(0, 16)
const tokenPath = z.object({ id: z.union([z.string().regex(/^[0-9a-f]{16}$/), name]) })

/** Tokens of this cloud. Those of an agent's own doors are the agent's. */
export function tokenRoutes({ catalogue, clock }: ApiPorts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tokens',
      summary: 'All tokens that are good, without their secrets',
      access: mayAdminister,
      answer: cloudTokensPage,
      async handle() {
        const nowMs = clock.nowMs()
        const isGood = (row: TokenRow) => row.revokedAt === undefined && (row.expiresAt ?? Infinity) > nowMs
        return { tokens: (await listTokens(catalogue)).filter(isGood).map(describe) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tokens',
      summary: 'Makes a token; the answer is the only place that shows it',
      access: mayAdminister,
      body: cloudTokenRequest,
      answer: cloudTokenCreated,
      status: 201,
      async handle({ body }) {
        const { expiresInDays, stream, ...rest } = body
        if (stream !== undefined && body.role !== 'viewer') throw onlyViewers()
        const token = randomBytes(tokenBytes).toString('base64url')
        const sha256 = createHash('sha256').update(token).digest('hex')
        const createdAt = clock.nowMs()
        const made = {
          ...rest,
          ...(stream !== undefined && { stream }),
          ...{ sha256, createdAt },
          ...(expiresInDays !== undefined && { expiresAt: createdAt + expiresInDays * dayMs }),
        }
        await addToken(catalogue, made)
        return { ...describe(made), token }
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/tokens/{id}',
      summary: 'Revokes a token, by id or name, at once',
      access: mayAdminister,
      params: tokenPath,
      answer: empty,
      async handle({ params: { id } }) {
        const isMeant = (row: TokenRow) => idOf(row.sha256) === id || row.name === id
        if ((await revokeTokens(catalogue, isMeant, clock.nowMs())) > 0) return {}
        throw new AppError('NotFound', 'There is no such token.', { zh: '没有此令牌。' })
      },
    }),
  ]
}

function onlyViewers(): AppError {
  return new AppError('InvalidArgument', 'Only a viewer can be bound to one stream.', {
    zh: '只有 viewer 可以绑定单个流。',
  })
}

type Described = Pick<TokenRow, 'sha256' | 'name' | 'role' | 'createdAt'> &
  Partial<Pick<TokenRow, 'stream' | 'agent' | 'expiresAt'>>

function describe({ sha256, name, role, stream, agent, createdAt, expiresAt }: Described): CloudToken {
  return {
    ...{ id: idOf(sha256), name, role, createdAt },
    ...(stream !== undefined && { stream }),
    ...(agent !== undefined && { agent }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
}
