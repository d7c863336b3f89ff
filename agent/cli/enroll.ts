import { createHash } from 'node:crypto'
import { mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { AgentStats } from '../../shared/contract/agent-api.ts'
import { codeCreated, enrolCode, enrolled } from '../../shared/contract/agents-api.ts'
import { dataDirectory } from '../config.ts'
import { openAgentFile, readIfThere } from '../control/agent-file.ts'
import { saveEnrolment, tokenFor } from '../enrolment.ts'
import { type Output, print } from './output.ts'
import { type Server, serverAt } from './server.ts'
import { failure, inLanguage } from './words.ts'

/** `edgereel enroll URL#CODE`: this machine uploads to that cloud from its next start on. */
export async function enroll(output: Output, address: string, options: { data?: string }): Promise<void> {
  const { api, code } = parseAddress(address)
  const data = resolve(dataDirectory(options.data))
  await mkdir(data, { recursive: true, mode: 0o700 })
  const own = await ownName(data)
  const token = await tokenFor(data, code)
  const tokenSha256 = createHash('sha256').update(token).digest('hex')
  const answer = await serverAt(new URL(api), {}).call('POST', '/v1/agents/enroll', {
    ...{ code, tokenSha256 },
    ...(own !== undefined && { agent: own }),
  })
  const { agent } = enrolled.parse(answer)
  if (own === undefined) await takeName(data, agent)
  await saveEnrolment(data, { api, agent, token })
  print(output, { agent, api, data }, () =>
    inLanguage({
      en: `this machine is the agent ${agent} of ${api} now; start edgereel (again): its recordings go there`,
      zh: `本机现在是 ${api} 的采集端 ${agent}；请（重新）启动 edgereel，录像将上传到那里`,
    }),
  )
}

/** `https://host/#7KQ2-XR4M-0T9V-C8ZD`; letters in any case, dashes or not, as Crockford reads them. */
export function parseAddress(address: string): { api: string; code: string } {
  const url = URL.parse(address)
  const letters = decodeURIComponent(url?.hash.slice(1) ?? '')
    .toUpperCase()
    .replaceAll(/[^0-9A-Z]/g, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1')
  const code = enrolCode.safeParse(letters.replaceAll(/(.{4})(?=.)/g, '$1-'))
  if (url && /^https?:$/.test(url.protocol) && code.success) {
    return { api: `${url.origin}${url.pathname}`.replace(/\/+$/, ''), code: code.data }
  }
  throw failure('InvalidArgument', {
    en: 'the address has the form https://…#CODE; `edgereel token create NAME --enroll` prints it; in quotes, as # begins a comment in some shells',
    zh: '地址格式为 https://…#注册码，由 edgereel token create 名称 --enroll 给出；请加引号',
  })
}

/** What this data directory is called, if anything is in it that bears the name. */
async function ownName(data: string): Promise<string | undefined> {
  if ((await readIfThere(join(data, 'agent.json'))) === undefined) return undefined
  const ring = await readdir(join(data, 'ring')).catch(() => [])
  const claims = await readdir(join(data, 'recordings')).catch(() => [])
  const { record } = await openAgentFile(join(data, 'agent.json'), { name: 'agent' })
  return ring.length + claims.length === 0 ? undefined : record.name
}

async function takeName(data: string, agent: string): Promise<void> {
  const file = await openAgentFile(join(data, 'agent.json'), { name: agent })
  if (file.record.name !== agent) await file.update((record) => ({ ...record, name: agent }))
}

/** `edgereel token create NAME --enroll`: a line for the machine that is to become the agent NAME. */
export async function createEnrolment(server: Server, output: Output, agent: string): Promise<void> {
  const made = codeCreated.parse(await server.call('POST', '/v1/agents/codes', { agent }))
  const url = new URL(made.url, await addressFromElsewhere(server)).href
  print(output, { ...made, url }, () =>
    inLanguage({
      en: `on the machine that becomes ${agent}, within 15 minutes:\n  edgereel enroll '${url}'`,
      zh: `请在 15 分钟内，在将作为 ${agent} 的机器上运行：\n  edgereel enroll '${url}'`,
    }),
  )
}

/** This machine calls its own agent 127.0.0.1; others reach it by what the agent says of its door. */
async function addressFromElsewhere({ base, call }: Server): Promise<URL> {
  if (!/^(127\.|localhost$|\[::1\]$)/.test(base.hostname)) return base
  const stats = await call<AgentStats>('GET', '/agent/v1/stats').catch(() => undefined)
  const { lan = false, tls = false, addresses = [] } = stats?.door ?? {}
  return lan && addresses[0] !== undefined ? new URL(`${tls ? 'https' : 'http'}://${addresses[0]}`) : base
}
