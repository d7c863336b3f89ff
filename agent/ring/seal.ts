import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import { manifestOf } from './manifest.ts'
import type { Layout } from './names.ts'
import type { RingFs } from './ring-fs.ts'
import type { FileSum, SegmentFile } from './segment-file.ts'
import type { SegmentEnd } from './types.ts'
import { writeDurably } from './write-durably.ts'

/**
 * Sealing (docs/ring.md). May be tried again from the start after an error of any step; the row in the index is
 * the caller's last step. A kill after 1 or 2: recovery seals. After 3: the manifest may be there or not (its
 * name is durable only after 4), and so may the final names; with a manifest recovery finishes them.
 */
export class Sealing {
  readonly file: SegmentFile
  readonly gaps: Gap[]
  readonly #end: SegmentEnd
  #sums: FileSum[] | undefined

  constructor(file: SegmentFile, gaps: readonly Gap[], end: SegmentEnd) {
    this.file = file
    this.gaps = [...gaps]
    this.#end = end
  }

  /** Undefined when no unit is left: the files are removed. */
  run(fs: RingFs, layout: Layout): { manifest: Manifest; files: SealedFile[] } | undefined {
    const { file } = this
    const { header } = file
    if (file.summary.units === 0) {
      file.remove()
      return undefined
    }
    // 1. All bytes durable.
    this.#sums ??= this.#finish()
    // 2. Final names.
    for (const { ext } of this.#sums) {
      renameOnce(fs, layout.segment(header, `${ext}.part`), layout.segment(header, ext))
    }
    // 3. The commit mark, and 4. all names durable.
    const { summary, records } = file
    const manifest = manifestOf({
      header,
      summary,
      records,
      files: this.#sums,
      gaps: this.gaps,
      end: this.#end,
    })
    const json = writeDurably(fs, layout.segment(header, 'json'), Buffer.from(JSON.stringify(manifest)))
    return { manifest, files: [...this.#sums, { ext: 'json', ...json }] }
  }

  /** A sync that failed is not asked again for the same bytes, it would say yes: they are
   * given up, and the recorder sees by the manifest's count that they are. */
  #finish(): FileSum[] {
    const { file } = this
    try {
      const sums = file.finish()
      file.close()
      return sums
    } catch (error) {
      file.cutBackToSynced()
      throw error
    }
  }
}

export type SealedFile = { ext: FileSum['ext'] | 'json'; sizeBytes: number; sha256: string }

function renameOnce(fs: RingFs, from: string, to: string): void {
  try {
    fs.rename(from, to)
  } catch (error) {
    // An earlier try came this far.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}
