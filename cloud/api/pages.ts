import { type Pages, pagePolicy } from '../../shared/node/read-pages.ts'

/** A file of the page. Undefined when there is none of that name. `store`: where addresses of files lead. */
export function pageAnswer(pages: Pages, path: string, store: string): Response | undefined {
  const page = pages.get(path)
  if (!page) return undefined
  return new Response(new Uint8Array(page.body), {
    headers: {
      'content-type': page.type,
      'cache-control': page.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-security-policy': pagePolicy(store),
      'x-frame-options': 'DENY',
    },
  })
}
