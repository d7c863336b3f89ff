import { networkInterfaces } from 'node:os'
import type { AgentStats } from '../shared/contract/agent-api.ts'
import type { Config } from './config.ts'

/** Where phones and browsers reach this agent: `host:port`, loopback's only while the port is not on the network. */
export function doorInfo({ http, phones }: Config, rtmpPort?: number): NonNullable<AgentStats['door']> {
  const hosts = http.lan ? lanAddresses() : ['127.0.0.1']
  return {
    lan: http.lan,
    addresses: hosts.map((host) => `${host}:${http.port}`),
    ...(rtmpPort === undefined ? {} : { rtmpPort }),
    allowWithoutToken: phones.allowWithoutToken === true || Array.isArray(phones.allowWithoutToken),
  }
}

function lanAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const outside = all.filter(({ family, internal }) => family === 'IPv4' && !internal)
  return outside.length > 0 ? outside.map(({ address }) => address) : ['127.0.0.1']
}
