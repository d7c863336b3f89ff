import { nodeFs, type RingFs } from '../../agent/ring/ring-fs.ts'

export type FsOperation = Exclude<keyof RingFs, 'space' | 'list' | 'close'>

/** The real file system, of which some operations fail on demand. */
export class FaultyFs {
  /** Error code by operation, until it is removed. */
  readonly failing = new Map<FsOperation, string>()
  /** After so many calls of an operation in `failing`. */
  spare = 0
  readonly fs: RingFs

  constructor(base: RingFs = nodeFs) {
    const guard = <Args extends unknown[], Result>(name: FsOperation, call: (...args: Args) => Result) => {
      return (...args: Args): Result => {
        const code = this.failing.get(name)
        if (code === undefined) return call(...args)
        if (this.spare === 0) throw Object.assign(new Error(`${code}: ${name}`), { code })
        this.spare -= 1
        return call(...args)
      }
    }
    this.fs = {
      ...base,
      open: guard('open', base.open),
      write: guard('write', base.write),
      read: guard('read', base.read),
      truncate: guard('truncate', base.truncate),
      datasync: guard('datasync', base.datasync),
      sync: guard('sync', base.sync),
      rename: guard('rename', base.rename),
      unlink: guard('unlink', base.unlink),
      mkdir: guard('mkdir', base.mkdir),
      syncDirectory: guard('syncDirectory', base.syncDirectory),
    }
  }
}
