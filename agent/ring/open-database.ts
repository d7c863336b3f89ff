import type { Layout } from './names.ts'
import { RingDb } from './ring-db.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import { unlinkIfThere } from './write-durably.ts'

/** A database that is missing or damaged is made again from the files; a damaged one is kept beside it. */
export function openDatabase(
  fs: RingFs,
  layout: Layout,
  create: (path: string) => RingDb = (path) => new RingDb(path),
): { db: RingDb; rebuild: boolean } {
  const fresh = isFresh(fs, layout.database)
  if (fresh) removeJournals(fs, layout)
  try {
    return { db: create(layout.database), rebuild: fresh }
  } catch (error) {
    // Full, read-only or busy is no damage: throwing the index away would not help.
    const code = errorCode(error)
    if (code !== undefined && code !== 'SQLITE_CORRUPT') throw error
    removeJournals(fs, layout)
    fs.rename(layout.database, `${layout.database}.damaged`)
    return { db: create(layout.database), rebuild: true }
  }
}

function isFresh(fs: RingFs, path: string): boolean {
  try {
    const fd = fs.open(path, 'read')
    const size = fs.size(fd)
    fs.close(fd)
    return size === 0
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true
    throw error
  }
}

/** Those of another database would be played into the new one. */
function removeJournals(fs: RingFs, layout: Layout): void {
  for (const suffix of ['-wal', '-shm']) unlinkIfThere(fs, `${layout.database}${suffix}`)
}
