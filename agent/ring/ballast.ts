import {
  ringBallastBytes,
  ringBallastShare,
  ringReserveBytes,
  ringReserveShare,
} from '../../shared/limits.ts'
import type { Layout } from './names.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import { unlinkIfThere } from './write-durably.ts'

const chunkBytes = 256 * 1024

/**
 * Space of our own. On a disk that others have filled to the last byte SQLite cannot open agent.db, and no segment can
 * be sealed: an agent that is started there could not even upload, which would make room. So some bytes are kept,
 * and given up at such a start.
 */
export class Ballast {
  readonly #fs: RingFs
  readonly #layout: Layout
  #kept = false

  constructor(fs: RingFs, layout: Layout) {
    this.#fs = fs
    this.#layout = layout
    this.#kept = this.#isThere()
  }

  /** Before anything is opened. */
  giveUpIfFull(): void {
    if (!this.#kept || this.#space().freeBytes >= this.#bytes()) return
    unlinkIfThere(this.#fs, this.#layout.ballast)
    this.#kept = false
  }

  /** Takes it as soon as the disk has more than its reserve; to be called now and then. Never throws. */
  keep(): void {
    if (this.#kept) return
    try {
      const { totalBytes, freeBytes } = this.#space()
      const reserve = Math.min(ringReserveBytes, totalBytes * ringReserveShare)
      if (freeBytes < 2 * reserve + this.#bytes()) return
      this.#write()
      this.#kept = true
    } catch {
      // The disk refuses: recording says so.
    }
  }

  #write(): void {
    const { temporary, bytes } = { temporary: `${this.#layout.ballast}.tmp`, bytes: this.#bytes() }
    unlinkIfThere(this.#fs, temporary)
    const fd = this.#fs.open(temporary, 'create')
    try {
      // Not zeros: some file systems keep no space for them.
      const chunk = Uint8Array.from({ length: chunkBytes }, (_, i) => (i * 2_654_435_761) >>> 11)
      for (let at = 0; at < bytes; at += chunkBytes) {
        this.#fs.write(fd, [chunk.subarray(0, Math.min(chunkBytes, bytes - at))], at)
      }
      this.#fs.sync(fd)
    } finally {
      this.#fs.close(fd)
    }
    this.#fs.rename(temporary, this.#layout.ballast)
  }

  #bytes(): number {
    return Math.floor(Math.min(ringBallastBytes, this.#space().totalBytes * ringBallastShare))
  }

  #space() {
    return this.#fs.space(this.#layout.ring)
  }

  #isThere(): boolean {
    try {
      this.#fs.close(this.#fs.open(this.#layout.ballast, 'read'))
      return true
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false
      throw error
    }
  }
}
