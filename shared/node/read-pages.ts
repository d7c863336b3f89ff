import { readdir, readFile } from 'node:fs/promises'
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
/** What the page may load. `store`: the origin to which the addresses of files redirect, when it is another. */
export function pagePolicy(store = ''): string {
  return [
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' blob: data: ${store}`.trim(),
    `media-src 'self' blob: ${store}`.trim(),
    `connect-src 'self' ${store}`.trim(),
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}
