import type { ObjectStore } from '../ports.ts'

/** Stores a value as JSON, over what was there. */
export async function putJson(store: ObjectStore, key: string, value: unknown): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(value))
  await store.put(key, bytes, { sizeBytes: bytes.length, contentType: 'application/json' })
}
