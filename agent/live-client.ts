import { randomUUID } from 'node:crypto'

/** Who publishes or watches, as its door knows it: told to hooks and shown in lists, never a reason to let in. */
export type LiveClient = {
  /** Of this one time that it publishes or watches. */
  readonly id: string
  readonly address: string
  readonly app: string
  /** The rest of the query, without what let it in. */
  readonly param: string
  /** Whose token let it in, or which link; empty when it needed none. */
  readonly subject: string
}

const secretKeys = ['token', 'sig', 'sign', 'exp']

export function liveClient(address: string, app: string, query: URLSearchParams, subject = ''): LiveClient {
  const rest = new URLSearchParams(query)
  for (const key of secretKeys) rest.delete(key)
  const param = rest.size === 0 ? '' : `?${rest}`
  return { id: randomUUID(), address: address.replace(/^::ffff:/i, ''), app, param, subject }
}
