import type { Manifest } from '../../shared/contract/segment.ts'
import type { StoredSegment } from './ring-db.ts'
import type { SealedFile } from './seal.ts'

/** The row of a segment that was sealed a moment ago, or found. */
export function rowOf(
  manifest: Manifest,
  files: SealedFile[],
): Omit<StoredSegment, 'claimed' | 'deleting' | 'doubted'> {
  const { stream, epoch, seq, from, to, continues } = manifest
  return {
    ...{ stream, epoch, seq, from, to, continues, files },
    units: manifest.video?.units ?? manifest.audio?.units ?? 0,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    uploaded: false,
    continued: manifest.continued === true,
    local: true,
  }
}
