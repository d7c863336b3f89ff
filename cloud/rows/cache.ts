import { createHash } from 'node:crypto'
import { z } from 'zod'
import { beatsyncKeepMs, beatsyncReuseMs } from '../../shared/cloud-limits.ts'
import type { Catalogue, ObjectStore } from '../ports.ts'

const file = z.object({ key: z.string(), sizeBytes: z.number().int(), sha256: z.string() })
export type CachedFile = z.infer<typeof file>

/**
 * pk `CACHE#<hash>`, sk `META`: what came of a computation, or which task is at it. The hash is that of the inputs'
 * contents, the parameters and the version of the code: the same hash is the same result.
 */
const cacheRow = z.looseObject({
  pk: z.string(),
  sk: z.string(),
  version: z.number().int(),
  /** The task that computes, or has computed it. */
  owner: z.string(),
  doneAt: z.number().optional(),
  files: z.record(z.string(), file).optional(),
  outcome: z.unknown().optional(),
})
export type Cached = { files: Record<string, CachedFile>; outcome: unknown; doneAt: number }

const cacheKey = (hash: string) => ({ pk: `CACHE#${hash}`, sk: 'META' })

/** Of the parts in their order, JSON, so that no part can run into the next. */
export function cacheHash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** A result whose files are there with their checksums, and will be for an hour. */
export async function findCached(
  { catalogue, store }: { catalogue: Catalogue; store: ObjectStore },
  hash: string,
  nowMs: number,
): Promise<Cached | undefined> {
  const row = await getRow(catalogue, hash)
  if (row?.doneAt === undefined || !row.files || nowMs > row.doneAt + beatsyncReuseMs) return undefined
  const heads = Object.values(row.files).map(async ({ key, sizeBytes, sha256 }) => {
    const head = await store.head(key)
    return head?.sizeBytes === sizeBytes && head.sha256 === sha256
  })
  const isWhole = (await Promise.all(heads)).every(Boolean)
  return isWhole ? { files: row.files, outcome: row.outcome, doneAt: row.doneAt } : undefined
}

/** The task that said it would compute this, if it is not done. */
export async function ownerOf(catalogue: Catalogue, hash: string): Promise<string | undefined> {
  const row = await getRow(catalogue, hash)
  return row?.doneAt === undefined ? row?.owner : undefined
}

/** From now on the task is at it. `Aborted` when another one said so in the same moment. */
export async function ownComputation(
  catalogue: Catalogue,
  hash: string,
  owner: string,
  nowMs: number,
): Promise<void> {
  const before = await getRow(catalogue, hash)
  const row = { ...cacheKey(hash), owner, ttl: ttlOf(nowMs) }
  await catalogue.put(row, before?.version ?? 'absent')
}

export async function addCached(
  catalogue: Catalogue,
  hash: string,
  done: Cached & { owner: string },
): Promise<void> {
  await catalogue.put({ ...cacheKey(hash), ...done, ttl: ttlOf(done.doneAt) }, 'any')
}

async function getRow(catalogue: Catalogue, hash: string) {
  const { pk, sk } = cacheKey(hash)
  const row = await catalogue.get(pk, sk)
  return row && cacheRow.parse(row)
}

const ttlOf = (nowMs: number) => Math.ceil((nowMs + beatsyncKeepMs) / 1000)
