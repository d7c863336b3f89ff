import type { AgentStats, LinkCreated, TokenInfo } from '../../shared/contract/agent-api.ts'
import type { CloudToken } from '../../shared/contract/agents-api.ts'
import { AppError } from '../../shared/error.ts'
import { createEnrolment } from './enroll.ts'
import { type FirstTokenOptions, firstToken } from './first-token.ts'
import { secondsOption } from './option.ts'
import { type Output, print, table, timeText } from './output.ts'
import type { Server } from './server.ts'
import { failure, inLanguage } from './words.ts'

/** The agent's tokens open its doors; where there is only a cloud (`--api`), its own are meant. */
const places = ['/agent/v1/tokens', '/v1/tokens']

/** Asks the first of the places that is there. */
async function ask<Answer>(server: Server, method: string, path = '', body?: unknown): Promise<Answer> {
  const [first = '', second = ''] = places
  try {
    return await server.call<Answer>(method, first + path, body)
  } catch (cause) {
    if (AppError.from(cause).kind !== 'NotFound') throw cause
    return await server.call<Answer>(method, second + path, body)
  }
}

export type CreateOptions = FirstTokenOptions & { role?: string; stream?: string; enroll?: boolean }

/** `edgereel token create NAME --role R | --enroll | --aws`. */
export async function createToken(server: Server, output: Output, name: string, options: CreateOptions) {
  if (options.aws) return await firstToken(output, name, options)
  if (options.enroll) return await createEnrolment(server, output, name)
  if (options.role === undefined) {
    throw failure('InvalidArgument', {
      en: 'say what the token is for: --role viewer, publisher, operator or admin, or --enroll for another machine',
      zh: '请说明令牌用途：--role viewer、publisher、operator 或 admin，或用 --enroll 注册另一台机器',
    })
  }
  type Made = (TokenInfo | CloudToken) & { token: string }
  const answer = await ask<Made>(server, 'POST', '', {
    name,
    role: options.role,
    ...(options.stream === undefined ? {} : { stream: options.stream }),
  })
  const once = inLanguage({ en: 'shown this once; keep it safe', zh: '仅显示这一次，请妥善保存' })
  print(
    output,
    answer,
    () => `${answer.token}\n(${answer.role}${answer.stream ? `, ${answer.stream}` : ''}; ${once})`,
  )
}

export async function listTokens(server: Server, output: Output) {
  const answer = await ask<{ tokens: (TokenInfo | CloudToken)[] }>(server, 'GET')
  const head = inLanguage({
    en: 'id name role stream created last-used',
    zh: '编号 名称 角色 流 创建 最近使用',
  }).split(' ')
  const row = (t: TokenInfo | CloudToken) => [
    t.id,
    t.name,
    t.role,
    t.stream ?? '*',
    timeText(t.createdAt),
    'lastUsedAt' in t && t.lastUsedAt ? timeText(t.lastUsedAt) : '-',
  ]
  print(output, answer, () => table(head, answer.tokens.map(row)))
}

/** Prints the addresses that open one stream for a while, one a line. */
export async function createLink(
  server: Server,
  output: Output,
  stream: string,
  options: { publish?: boolean; for?: string },
) {
  const answer = await server.call<LinkCreated>(
    'POST',
    `/agent/v1/streams/${encodeURIComponent(stream)}/links`,
    {
      role: options.publish ? 'publisher' : 'viewer',
      ...(options.for === undefined ? {} : { expiresInS: secondsOption('--for', options.for) }),
    },
  )
  const { door } = await server.call<AgentStats>('GET', '/agent/v1/stats')
  const { host, hostname, protocol } = server.base
  const { flv, phone, rtmp } = answer.paths
  const urls = [
    flv && `${protocol}//${host}${flv}`,
    door?.rtmpPort !== undefined && `rtmp://${hostname}:${door.rtmpPort}${rtmp}`,
    phone && `${protocol.replace('http', 'ws')}//${host}${phone}`,
  ].filter((url) => typeof url === 'string')
  print(output, { ...answer, urls }, () => urls.join('\n'))
}

export async function revokeToken(server: Server, output: Output, id: string) {
  await ask(server, 'DELETE', `/${encodeURIComponent(id)}`)
  print(output, { id, revoked: true }, () => inLanguage({ en: `${id} revoked`, zh: `${id} 已撤销` }))
}
