import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import type { Principal } from '../../../../agent/control/auth.ts'
import { checkOrigin, hostAllowed, isLoopback } from '../../../../agent/listen/guard.ts'

const rule = { hostname: 'Lab-PC', publicHost: 'cams.example.org' }

test.each([
  ['192.168.1.20:50001', true],
  ['127.0.0.1', true],
  ['[::1]:50001', true],
  ['[fe80::1]', true],
  ['localhost:50001', true],
  ['lab-pc', true],
  ['LAB-PC:50001', true],
  ['edge.local:50001', true],
  ['cams.example.org', true],
  ['cams.example.org.', true],
  ['evil.example', false],
  ['localhost.evil.example', false],
  ['127.0.0.1.evil.example', false],
  ['[evil]:1', false],
  ['a@localhost', false],
  ['localhost:123456', false],
  ['', false],
  [undefined, false],
])('Host %s: %s', (host, allowed) => {
  expect(hostAllowed(host, rule)).toBe(allowed)
})

const request = (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
  ({ headers, socket: { remoteAddress } }) as unknown as IncomingMessage
const by = (via: Principal['via']): Principal => ({ role: 'admin', subject: 's', via })

test.each([
  ['our page', 'cookie', { origin: 'http://10.0.0.5:50001', host: '10.0.0.5:50001' }, true],
  [
    'our page behind a TLS proxy',
    'cookie',
    { origin: 'https://cams.example.org', host: '10.0.0.5:50001' },
    true,
  ],
  ['the default port, written or not', 'cookie', { origin: 'http://lab-pc', host: 'lab-pc:80' }, true],
  ['another page', 'cookie', { origin: 'http://evil.example', host: '10.0.0.5:50001' }, false],
  ['another port', 'cookie', { origin: 'http://10.0.0.5:8080', host: '10.0.0.5:50001' }, false],
  ['a file', 'cookie', { origin: 'null', host: '10.0.0.5:50001' }, false],
  ['a cookie without an origin', 'cookie', { host: '10.0.0.5:50001' }, false],
  ['a phone without a token', 'none', { host: '10.0.0.5:50001' }, true],
  ['another page without a cookie', 'none', { origin: 'http://evil.example', host: '10.0.0.5:50001' }, false],
  ['a token from anywhere', 'bearer', { origin: 'http://evil.example', host: '10.0.0.5:50001' }, true],
  ['a token in the query', 'query', { origin: 'http://evil.example', host: '10.0.0.5:50001' }, true],
] as const)('%s', (_who, via, headers, allowed) => {
  const check = () => checkOrigin(request(headers), by(via), 'https://cams.example.org')
  if (allowed) expect(check).not.toThrow()
  else expect(check).toThrow(expect.objectContaining({ kind: 'PermissionDenied' }))
})

test.each([
  ['127.0.0.1', {}, true],
  ['127.9.9.9', {}, true],
  ['::ffff:127.0.0.1', {}, true],
  ['::1', {}, true],
  ['10.0.0.5', {}, false],
  ['127.0.0.1', { 'x-forwarded-for': '10.0.0.9' }, false],
  ['127.0.0.1', { forwarded: 'for=10.0.0.9' }, false],
  ['127.0.0.1', { via: '1.1 proxy' }, false],
  ['127.0.0.1', { 'x-real-ip': '10.0.0.9' }, false],
  ['127.0.0.1', { 'x-forwarded-proto': 'https' }, false],
])('%s with %o is this machine: %s', (address, headers, expected) => {
  expect(isLoopback(request(headers as Record<string, string>, address))).toBe(expected)
})
