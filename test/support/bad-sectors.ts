import { nodeFs, type RingFs } from '../../agent/ring/ring-fs.ts'

/** The real file system on a disk of which some places cannot be read, until they are written. */
export class BadSectors {
  readonly fs: RingFs
  readonly #bad: { path: string; at: number }[] = []
  readonly #open = new Map<number, string>()

  constructor(base: RingFs = nodeFs) {
    const of = (fd: number, from: number, to: number) =>
      this.#bad.filter(({ path, at }) => path === this.#open.get(fd) && at >= from && at < to)
    this.fs = {
      ...base,
      open: (path, mode) => {
        const fd = base.open(path, mode)
        this.#open.set(fd, path)
        return fd
      },
      close: (fd) => {
        this.#open.delete(fd)
        base.close(fd)
      },
      read: (fd, into, position) => {
        if (of(fd, position, position + into.length).length === 0) return base.read(fd, into, position)
        throw Object.assign(new Error('EIO: read'), { code: 'EIO' })
      },
      write: (fd, chunks, position) => {
        const end = position + chunks.reduce((sum, chunk) => sum + chunk.length, 0)
        for (const bad of of(fd, position, end)) this.#bad.splice(this.#bad.indexOf(bad), 1)
        base.write(fd, chunks, position)
      },
    }
  }

  /** How many there still are. */
  get count(): number {
    return this.#bad.length
  }

  add(path: string, at: number): void {
    this.#bad.push({ path, at })
  }
}
