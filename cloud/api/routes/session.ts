import { createHash, randomBytes } from 'node:crypto'
import { openSession, sessionInfo } from '../../../shared/contract/agent-api.ts'
import { AppError } from '../../../shared/error.ts'
import { sessionMs } from '../../../shared/limits.ts'
import { findToken } from '../../rows/access.ts'
import { addSession, endSession } from '../../rows/session.ts'
import { type Access, cookieName, cookieOf } from '../caller.ts'
import { type ApiPorts, type Route, rawRoute, route } from '../route.ts'

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')
const people: Access = { roles: ['viewer', 'operator', 'admin'], oneStream: true }

/** The page asks for its session where an agent has it: it is the same page. Only where this API serves the page. */
export function sessionRoutes({ catalogue, clock }: ApiPorts): Route[] {
  const path = '/agent/v1/session'
  return [
    route({
      method: 'GET',
      path,
      summary: 'Who I am',
      access: people,
      answer: sessionInfo,
      handle: async ({ caller: { subject, role, stream } }) => {
        if (role === 'anyone') throw new AppError('Unauthenticated', 'Nobody is signed in.')
        return { subject, role, ...(stream !== undefined && { stream }) }
      },
    }),
    rawRoute({
      method: 'POST',
      path,
      summary: 'Exchanges a token for the page’s cookie',
      access: 'anyone',
      body: openSession,
      status: 200,
      async handle({ body }) {
        const token = await findToken(catalogue, hashOf(body.token), clock.nowMs())
        if (!token || token.role === 'device' || token.role === 'publisher') throw wrongToken()
        const cookie = randomBytes(32).toString('base64url')
        const expiresAt = clock.nowMs() + sessionMs
        await addSession(catalogue, { sha256: hashOf(cookie), tokenSha256: token.sha256, expiresAt })
        const { name: subject, role, stream } = token
        const info = { subject, role, ...(stream !== undefined && { stream }) }
        return Response.json(info, { headers: { 'set-cookie': cookieHeader(cookie, sessionMs / 1000) } })
      },
    }),
    rawRoute({
      method: 'DELETE',
      path,
      summary: 'Forgets the cookie',
      access: 'anyone',
      status: 204,
      async handle({ headers }) {
        const cookie = cookieOf(headers)
        if (cookie !== undefined) await endSession(catalogue, hashOf(cookie))
        return new Response(null, { status: 204, headers: { 'set-cookie': cookieHeader('', 0) } })
      },
    }),
  ]
}

function cookieHeader(value: string, maxAgeS: number): string {
  return `${cookieName}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; Secure; SameSite=Strict`
}

function wrongToken(): AppError {
  return new AppError('Unauthenticated', 'This token is wrong or was revoked.', { zh: '令牌错误或已撤销。' })
}
