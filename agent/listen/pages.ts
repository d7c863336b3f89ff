import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Pages, pagePolicy } from '../../shared/node/read-pages.ts'

/** On every answer of this door. */
export const securityHeaders: Record<string, string> = {
  'content-security-policy': pagePolicy(),
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
}

/** False when there is no such page. */
export function servePage(
  pages: Pages,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const page = pages.get(path)
  if (!page || (request.method !== 'GET' && request.method !== 'HEAD')) return false
  response.writeHead(200, {
    'content-type': page.type,
    'content-length': page.body.length,
    'cache-control': page.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
  })
  response.end(request.method === 'HEAD' ? undefined : page.body)
  return true
}
