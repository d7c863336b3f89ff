import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { AppError } from '../../shared/error.ts'
import type { Principal } from '../control/auth.ts'

/** Names by which this door may be called: what is not listed is somebody's rebound DNS name. */
export type HostRule = { hostname: string; publicHost: string | undefined }

/** `Host` is an IP literal, localhost, the machine's name, `*.local` or the host of `publicUrl`. */
export function hostAllowed(host: string | undefined, rule: HostRule): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]/@\s]+)(:\d{1,5})?$/i.exec(host ?? '')
  const name = match?.[1]?.toLowerCase().replace(/\.$/, '')
  if (name === undefined) return false
  if (name.startsWith('[')) return isIP(name.slice(1, -1)) === 6
  if (isIP(name) === 4 || name === 'localhost' || name.endsWith('.local')) return true
  return name === rule.hostname.toLowerCase() || name === rule.publicHost?.toLowerCase()
}

/**
 * What changes something, and every socket, must come from our own page or bring a token of its own: browsers send
 * cookies from anywhere, and always an `Origin` with these. Throws `PermissionDenied`.
 */
export function checkOrigin(
  request: IncomingMessage,
  principal: Principal,
  publicUrl: string | undefined,
): void {
  const { origin, host } = request.headers
  if (principal.via === 'bearer' || principal.via === 'query' || principal.via === 'link') return
  const same = origin === undefined ? principal.via === 'none' : sameOrigin(origin, host, publicUrl)
  if (same) return
  throw new AppError('PermissionDenied', 'this must come from the page of this agent, or bring a token', {
    zh: '请求必须来自本页面，或携带令牌。',
  })
}

function sameOrigin(origin: string, host: string | undefined, publicUrl: string | undefined): boolean {
  const url = URL.parse(origin)
  if (!url || host === undefined) return false
  if (publicUrl !== undefined && url.origin === URL.parse(publicUrl)?.origin) return true
  return url.host === URL.parse(`${url.protocol}//${host}`)?.host
}

const proxyHeader = /^(forwarded|via|x-real-ip|x-forwarded-.+)$/

/** From this machine itself. A proxy on it speaks for others, and says so. */
export function isLoopback(request: IncomingMessage): boolean {
  if (Object.keys(request.headers).some((name) => proxyHeader.test(name))) return false
  return isLoopbackAddress(request.socket.remoteAddress ?? '')
}

export function isLoopbackAddress(remoteAddress: string): boolean {
  const address = remoteAddress.replace(/^::ffff:/i, '')
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'))
}
