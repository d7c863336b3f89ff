import { hostname, networkInterfaces } from 'node:os'
import type { AgentStats } from '../shared/contract/agent-api.ts'
import type { Config } from './config.ts'

/** Where phones and browsers reach this agent: `host:port`, loopback's only while the port is not on the network. */
export function doorInfo({ http, phones }: Config, rtmpPort?: number): NonNullable<AgentStats['door']> {
  const hosts = http.lan ? lanAddresses() : ['127.0.0.1']
  return {
    lan: http.lan,
    tls: http.tls !== false,
    addresses: hosts.map((host) => `${host}:${http.port}`),
    ...(rtmpPort === undefined ? {} : { rtmpPort }),
    allowWithoutToken: phones.allowWithoutToken === true || Array.isArray(phones.allowWithoutToken),
  }
}

/** What a certificate of our own is for: this machine's names and addresses, and how people reach it through others. */
export function ownNames({ http }: Config): string[] {
  const own = hostname().toLowerCase()
  const near = ['localhost', '127.0.0.1', own, ...(own.includes('.') ? [] : [`${own}.local`])]
  const publicHost = http.publicUrl === null ? undefined : URL.parse(http.publicUrl)?.hostname
  const outside = http.lan ? lanAddresses() : []
  return [...new Set([...near, ...outside, ...(publicHost ? [publicHost] : [])])]
}

function lanAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const outside = all.filter(({ family, internal }) => family === 'IPv4' && !internal)
  return outside.length > 0 ? outside.map(({ address }) => address) : ['127.0.0.1']
}
