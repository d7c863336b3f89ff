import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join } from 'node:path'

/** The files of the page, by their path on the wire. Read once: no path from the wire ever reaches the file system. */
export type Pages = ReadonlyMap<string, { body: Buffer; type: string; immutable: boolean }>

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
}
const hashed = /[.-][A-Za-z0-9_]{8,}\.[a-z]+$/ // As esbuild names its chunks: another content, another name.

/** `index.html` is `/`. An empty map when the page was not built. */
export async function readPages(directory: string): Promise<Pages> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const pages = new Map<string, { body: Buffer; type: string; immutable: boolean }>()
  for (const entry of entries) {
    const type = types[extname(entry.name)]
    if (!entry.isFile() || type === undefined) continue
    const path = join(entry.parentPath, entry.name)
    const url = path.slice(directory.length).replaceAll('\\', '/').replace(/^\/?/, '/')
    const page = { body: await readFile(path), type, immutable: hashed.test(entry.name) }
    pages.set(url, page)
    if (url === '/index.html') pages.set('/', page)
  }
  return pages
}

// mpegts.js feeds the player by blob: URLs; a QR code is a data: image.
const policy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** On every answer of this door. */
export const securityHeaders: Record<string, string> = {
  'content-security-policy': policy,
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
