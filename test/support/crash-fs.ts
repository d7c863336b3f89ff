import { basename, dirname } from 'node:path'
import type { RingFs } from '../../agent/ring/ring-fs.ts'

/** The power goes: nothing of this machine runs any more. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut'
}

type Change = { at: number; bytes: Uint8Array } | { truncate: number }
type Inode = { durable: Uint8Array; changes: Change[] }
type NameChange =
  | { set: string; inode: Inode }
  | { remove: string }
  | { rename: string; to: string; inode: Inode }
type Directory = { durable: Map<string, Inode>; changes: NameChange[] }

/** 0 … n−1; a test draws from a generator, so that a failure can be repeated. */
export type Choose = (n: number) => number

/**
 * A file system in memory that knows what a power cut may take. Durable is what `sync`/`datasync` covered of a
 * file, and what `syncDirectory` covered of names. At a crash each later change of a name survives or not, on its
 * own; later bytes survive up to some point, the last write torn, or only as a size with zeros in it.
 * Stricter than ext4 (which keeps the order of names): what passes here does not depend on the file system.
 */
export class CrashFs implements RingFs {
  /** Operations so far; the cut comes before the one of this number. */
  steps = 0
  cutAt = Number.POSITIVE_INFINITY
  readonly #directories = new Map<string, Directory>()
  #files = new Map<number, Inode>()
  #nextFd = 3
  #isCut = false

  /** Throws if the power is gone: whoever caught the first `PowerCut` has not lived to do anything about it. */
  mustRun(): void {
    if (this.#isCut) throw new PowerCut(`step ${this.steps}`)
  }

  /** Counts an operation that is not one of files (a commit) into the same order. */
  step(): void {
    this.#isCut ||= this.steps >= this.cutAt
    this.mustRun()
    this.steps += 1
  }

  open(path: string, mode: 'create' | 'update' | 'read'): number {
    if (mode === 'create') this.step()
    const directory = this.#directory(dirname(path))
    const known = namesOf(directory).get(basename(path))
    if (mode === 'create' && known) throw failure('EEXIST', path)
    if (mode !== 'create' && !known) throw failure('ENOENT', path)
    const inode = known ?? { durable: new Uint8Array(), changes: [] }
    if (!known) directory.changes.push({ set: basename(path), inode })
    this.#nextFd += 1
    this.#files.set(this.#nextFd, inode)
    return this.#nextFd
  }

  close(fd: number): void {
    this.#files.delete(fd)
  }

  write(fd: number, chunks: readonly Uint8Array[], position: number): void {
    this.step()
    const bytes = Uint8Array.from(Buffer.concat(chunks))
    this.#inode(fd).changes.push({ at: position, bytes })
  }

  read(fd: number, into: Uint8Array, position: number): number {
    const bytes = contentOf(this.#inode(fd)).subarray(position, position + into.length)
    into.set(bytes)
    return bytes.length
  }

  size(fd: number): number {
    return contentOf(this.#inode(fd)).length
  }

  truncate(fd: number, size: number): void {
    this.step()
    this.#inode(fd).changes.push({ truncate: size })
  }

  datasync(fd: number): void {
    this.sync(fd)
  }

  sync(fd: number): void {
    this.step()
    const inode = this.#inode(fd)
    inode.durable = contentOf(inode)
    inode.changes = []
  }

  rename(from: string, to: string): void {
    this.step()
    const source = this.#directory(dirname(from))
    const inode = namesOf(source).get(basename(from))
    if (!inode) throw failure('ENOENT', from)
    const target = this.#directory(dirname(to))
    if (source === target) source.changes.push({ rename: basename(from), to: basename(to), inode })
    else {
      target.changes.push({ set: basename(to), inode })
      source.changes.push({ remove: basename(from) })
    }
  }

  unlink(path: string): void {
    this.step()
    const directory = this.#directory(dirname(path))
    if (!namesOf(directory).has(basename(path))) throw failure('ENOENT', path)
    directory.changes.push({ remove: basename(path) })
  }

  /** Directories are made durable at once: their loss is that of all names in them, which is drawn anyway. */
  mkdir(path: string): boolean {
    if (this.#directories.has(path)) return false
    this.step()
    this.#directories.set(path, { durable: new Map(), changes: [] })
    return true
  }

  list(path: string): { name: string; directory: boolean }[] {
    const files = [...namesOf(this.#directories.get(path) ?? { durable: new Map(), changes: [] }).keys()]
    const inner = [...this.#directories.keys()]
      .filter((other) => dirname(other) === path)
      .map((other) => basename(other))
    return [
      ...files.map((name) => ({ name, directory: false })),
      ...inner.map((name) => ({ name, directory: true })),
    ]
  }

  syncDirectory(path: string): void {
    this.step()
    const directory = this.#directories.get(path)
    if (!directory) return
    directory.durable = namesOf(directory)
    directory.changes = []
  }

  space(): { totalBytes: number; freeBytes: number; freeInodes: undefined } {
    return { totalBytes: 1e12, freeBytes: 1e12, freeInodes: undefined }
  }

  /** What the machine finds when it is switched on again. */
  crashed(choose: Choose): CrashFs {
    const after = new CrashFs()
    const copies = new Map<Inode, Inode>()
    const copyOf = (inode: Inode) => {
      const copy = copies.get(inode) ?? { durable: survivingBytes(inode, choose), changes: [] }
      copies.set(inode, copy)
      return copy
    }
    for (const [path, directory] of this.#directories) {
      const kept = directory.changes.filter(() => choose(2) === 0)
      const names = namesOf({ durable: directory.durable, changes: kept })
      const durable = new Map([...names].map(([name, inode]) => [name, copyOf(inode)]))
      after.#directories.set(path, { durable, changes: [] })
    }
    return after
  }

  /** All names and sizes: for the message of a failed test. */
  describe(): string[] {
    return [...this.#directories].flatMap(([path, directory]) =>
      [...namesOf(directory)].map(([name, inode]) => `${path}/${name} ${contentOf(inode).length}`),
    )
  }

  #directory(path: string): Directory {
    const directory = this.#directories.get(path)
    if (!directory) throw failure('ENOENT', path)
    return directory
  }

  #inode(fd: number): Inode {
    const inode = this.#files.get(fd)
    if (!inode) throw failure('EBADF', String(fd))
    return inode
  }
}

function namesOf({ durable, changes }: Directory): Map<string, Inode> {
  const names = new Map(durable)
  for (const change of changes) {
    if ('remove' in change) names.delete(change.remove)
    else if ('set' in change) names.set(change.set, change.inode)
    else {
      if (names.get(change.rename) === change.inode) names.delete(change.rename)
      names.set(change.to, change.inode)
    }
  }
  return names
}

function contentOf({ durable, changes }: Inode): Uint8Array {
  return changes.reduce<Uint8Array>(apply, durable)
}

function apply(bytes: Uint8Array, change: Change): Uint8Array {
  if ('truncate' in change) return resized(bytes, change.truncate)
  const grown = resized(bytes, Math.max(bytes.length, change.at + change.bytes.length))
  grown.set(change.bytes, change.at)
  return grown
}

function resized(bytes: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(size)
  copy.set(bytes.subarray(0, size))
  return copy
}

function survivingBytes(inode: Inode, choose: Choose): Uint8Array {
  const count = choose(inode.changes.length + 1)
  let bytes = inode.changes.slice(0, count).reduce<Uint8Array>(apply, inode.durable)
  const torn = inode.changes[count]
  if (!torn || 'truncate' in torn) return bytes
  const kind = choose(3)
  if (kind === 0)
    bytes = apply(bytes, { at: torn.at, bytes: torn.bytes.subarray(0, choose(torn.bytes.length + 1)) })
  if (kind === 1) bytes = apply(bytes, { at: torn.at, bytes: new Uint8Array(torn.bytes.length) })
  return bytes
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
