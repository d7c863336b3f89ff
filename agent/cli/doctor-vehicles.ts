import { connect } from 'node:net'
import type { Config } from '../config.ts'
import type { Finding } from './doctor.ts'

const waitMs = 2000

/** Whether vehicles can be called: Redis answers, and the address that they are told is not this machine's own. */
export async function checkVehicles({ vehicles, srs }: Config): Promise<Finding[]> {
  const { commands, publicHost } = vehicles
  const findings: Finding[] = []
  if (publicHost !== null && /^(localhost$|127\.)/.test(publicHost)) {
    findings.push({
      check: 'vehicles',
      state: 'warn',
      words: {
        en: `vehicles are told to connect to ${publicHost}: only simulated ones on this machine can`,
        zh: `车辆将被告知连接 ${publicHost}：只有本机模拟车辆可以连接`,
      },
    })
  }
  if (commands && 'redis' in commands) findings.push(await checkPort('redis', commands.redis, 6379))
  if (srs) findings.push(await checkPort('srs', srs.push, 1935))
  return findings
}

/** That something listens there; a password is tried by the agent, whose log says so. */
async function checkPort(check: string, url: string, usual: number): Promise<Finding> {
  const { hostname, port } = new URL(url)
  const where = `${hostname}:${port || usual}`
  const reached = await reaches(hostname.replace(/^\[|\]$/g, ''), Number(port || usual))
  return {
    check,
    state: reached ? 'ok' : 'warn',
    words: reached
      ? { en: where, zh: where }
      : { en: `nothing answers at ${where}: is it started?`, zh: `${where} 没有响应：是否已启动？` },
  }
}

function reaches(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host, port, timeout: waitMs })
  socket.on('connect', () => resolve(true))
  socket.on('timeout', () => resolve(false))
  socket.on('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}
