import { exportKeepMs } from '../../shared/limits.ts'
import type { Catalogue, ObjectStore } from '../ports.ts'
import { clampWallMs, timeKey, work, workKey } from '../rows/keys.ts'
import { getRecording } from '../rows/recording.ts'
import type { JobPorts } from './job-ports.ts'

export async function deletePrefix(store: ObjectStore, prefix: string): Promise<number> {
  let deleted = 0
  for (;;) {
    const { keys } = await store.list(prefix) // What is deleted is in no list any more: always the first page.
    if (keys.length === 0) return deleted
    for (const { key } of keys) await store.delete(key)
    deleted += keys.length
  }
}

/** Notes that the files of an export's version are to go when a newer one has been there for a day. */
export async function noteOldVersion(
  catalogue: Catalogue,
  of: { recording: string; version: number },
  nowMs: number,
): Promise<void> {
  const key = { pk: `D#${of.recording}`, sk: `v${of.version}` }
  const gsi2sk = workKey(clampWallMs(nowMs + exportKeepMs), key.pk, key.sk)
  await catalogue.put({ ...key, gsi2pk: work.prefixes, gsi2sk, ...of }, 'any')
}

export async function deleteOldVersions(ports: JobPorts, signal: AbortSignal): Promise<number> {
  const { catalogue, store, clock } = ports
  let deleted = 0
  for (;;) {
    const due = { index: 'gsi2' as const, pk: work.prefixes, to: timeKey(clock.nowMs()), limit: 100 }
    const { rows } = await catalogue.query(due)
    if (rows.length === 0) return deleted
    for (const { pk, sk, recording, version } of rows) {
      signal.throwIfAborted()
      const current = (await getRecording(catalogue, String(recording)))?.meta.filesVersion
      // The newer one failed in the end: its completion will note this one again.
      if (current === undefined || current > Number(version))
        deleted += await deletePrefix(store, `exports/${recording}/v${version}/`)
      await catalogue.delete(pk, sk)
    }
  }
}
