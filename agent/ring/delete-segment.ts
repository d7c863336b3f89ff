import type { Layout, SegmentPlace } from './names.ts'
import { mediaExts } from './names.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import { unlinkIfThere } from './write-durably.ts'

/**
 * Deleting the bytes of a sealed segment (docs/ring.md). The name says what was decided before a byte goes, so
 * that a kill, and even the loss of agent.db, cannot turn a half-deleted segment into one that is to be uploaded:
 * `.gone` it is in the store, its manifest stays until nobody will ask for it; `.del` it is lost. `forget` comes
 * when the row says so too.
 */
export function deleteBytes(fs: RingFs, layout: Layout, place: SegmentPlace, as: 'gone' | 'del'): void {
  try {
    fs.rename(layout.segment(place, 'json'), layout.segment(place, as))
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error // An earlier try came this far.
  }
  fs.syncDirectory(layout.stream(place.stream))
  for (const ext of [...mediaExts, 'idx']) unlinkIfThere(fs, layout.segment(place, ext))
  // While a byte may come back after a power cut, so must the name that says what it is.
  fs.syncDirectory(layout.stream(place.stream))
}

export function forget(fs: RingFs, layout: Layout, place: SegmentPlace, as: 'gone' | 'del'): void {
  unlinkIfThere(fs, layout.segment(place, as))
}
