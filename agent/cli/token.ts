import type { AgentStats, LinkCreated, TokenInfo } from '../../shared/contract/agent-api.ts'
import { type Output, print, table, timeText } from './output.ts'
import type { Server } from './server.ts'
import { inLanguage } from './words.ts'

export async function createToken(
  server: Server,
  output: Output,
  name: string,
  options: { role: string; stream?: string },
) {
  const answer = await server.call<TokenInfo & { token: string }>('POST', '/agent/v1/tokens', {
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
  const answer = await server.call<{ tokens: TokenInfo[] }>('GET', '/agent/v1/tokens')
  const head = inLanguage({
    en: 'id name role stream created last-used',
    zh: '编号 名称 角色 流 创建 最近使用',
  }).split(' ')
  const row = (t: TokenInfo) => [
    t.id,
    t.name,
    t.role,
    t.stream ?? '*',
    timeText(t.createdAt),
    t.lastUsedAt ? timeText(t.lastUsedAt) : '-',
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
      ...(options.for === undefined ? {} : { expiresInS: Number(options.for) }),
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
  await server.call('DELETE', `/agent/v1/tokens/${encodeURIComponent(id)}`)
  print(output, { id, revoked: true }, () => inLanguage({ en: `${id} revoked`, zh: `${id} 已撤销` }))
}
