import { AppError } from '../../shared/error.ts'
import type { ObjectStore } from '../ports.ts'
import { RangeReader } from './range-reader.ts'

/** Where the bytes of a source lie. */
export type MediaSource = { store: Pick<ObjectStore, 'get'>; key: string }

/** At most one body is open for each track: the sources of a track follow each other. */
export class PartReaders implements AsyncDisposable {
  readonly #sources: readonly MediaSource[]
  readonly #open = new Map<number, { source: number; reader: RangeReader }>()

  constructor(sources: readonly MediaSource[]) {
    this.#sources = sources
  }

  readerOf = (source: number, track: number): RangeReader => {
    const open = this.#open.get(track)
    if (open?.source === source) return open.reader
    void open?.reader[Symbol.asyncDispose]()
    const named = this.#sources[source]
    if (!named) throw new AppError('Internal', `The plan names a source ${source} that is not there.`)
    const reader = new RangeReader(named.store, named.key)
    this.#open.set(track, { source, reader })
    return reader
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { reader } of this.#open.values()) await reader[Symbol.asyncDispose]()
  }
}
