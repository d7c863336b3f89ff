import type { Clock } from '../../shared/node/clock.ts'
import { type CloudDocument, cloudDocument } from '../control/openapi.ts'
import { createCloudClient } from '../upload/cloud-client.ts'

/** Asks the cloud on this machine what its API is; undefined while it is away. */
export function readCloudDocument(
  socketPath: string,
  clock: Clock,
): () => Promise<CloudDocument | undefined> {
  return async () => {
    using client = createCloudClient({ base: `unix:${socketPath}`, headers: () => ({}), clock })
    const never = new AbortController().signal
    const answer = await client.call('GET', '/v1/openapi.json', undefined, never).catch(() => undefined)
    return cloudDocument.safeParse(answer).data
  }
}
