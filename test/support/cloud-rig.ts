import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApi } from '../../cloud/api/app.ts'
import { type LocalCloud, openLocalCloud } from '../../cloud/local/local-cloud.ts'
import { addToken, type NewToken } from '../../cloud/rows/access.ts'
import type { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'

export type CloudRig = AsyncDisposable & {
  dir: string
  cloud: LocalCloud
  /** `/v1`, `/s` and `/store`, as one origin. */
  fetch(request: Request): Promise<Response>
  /** Failures that the API took for its own. */
  errors: AppError[]
  /** Makes a token and answers it. */
  token(token: Partial<NewToken> & { role: NewToken['role'] }): Promise<string>
}

export const internalToken = 'internal-token-of-the-rig'

/** The local cloud with its API in a directory of its own. */
export async function openCloudRig(clock: Clock): Promise<CloudRig> {
  const dir = await mkdtemp(join(tmpdir(), 'edgereel-cloud-'))
  const cloud = await openLocalCloud({ dir, clock })
  const errors: AppError[] = []
  const api = createApi({ ...cloud, clock, internalToken, onError: (error) => errors.push(error) })
  let made = 0
  return {
    dir,
    cloud,
    errors,
    fetch: (request) =>
      new URL(request.url).pathname.startsWith('/store/') ? cloud.storeRoute(request) : api.fetch(request),
    async token(token) {
      made += 1
      const text = `token-${made}-${token.role}`
      const sha256 = createHash('sha256').update(text).digest('hex')
      await addToken(cloud.catalogue, { name: text, createdAt: clock.nowMs(), ...token, sha256 })
      return text
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
