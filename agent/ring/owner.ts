import { DatabaseSync } from 'node:sqlite'
import { AppError } from '../../shared/error.ts'
import type { Layout } from './names.ts'
import { readSalvaged } from './read-salvaged.ts'
import { errorCode, type RingFs } from './ring-fs.ts'
import { writeDurably } from './write-durably.ts'

/**
 * One agent at a time. SQLite's lock is the operating system's own (fcntl, LockFileEx): it ends with the process,
 * however that dies, and nothing has to be cleaned up. Throws `AlreadyExists` while another process holds it.
 */
export function lockDirectory(path: string): Disposable {
  const lock = new DatabaseSync(path)
  try {
    lock.exec('begin exclusive')
  } catch (cause) {
    lock.close()
    if (errorCode(cause) !== 'SQLITE_BUSY') throw cause
    throw new AppError(
      'AlreadyExists',
      'another edgereel agent uses this data directory; stop it or give --data another one',
      { cause, zh: '另一个 edgereel 正在使用此数据目录；请先停止它，或用 --data 指定其他目录。' },
    )
  }
  return { [Symbol.dispose]: () => lock.close() }
}

/** A ring belongs to one agent: a disk of another machine is refused, not mixed in (RELIABILITY.md A15). */
export function checkOwner(fs: RingFs, layout: Layout, agent: { name: string; uuid: string }): void {
  const owner = readOwner(fs, layout.owner)
  if (owner === undefined) {
    writeDurably(fs, layout.owner, Buffer.from(JSON.stringify({ uuid: agent.uuid, name: agent.name })))
    return
  }
  if (owner.uuid === agent.uuid) return
  throw new AppError(
    'FailedPrecondition',
    `the ring in this data directory belongs to agent ${owner.name} (${owner.uuid}); give --data the directory of this agent`,
    { zh: `此数据目录中的录像属于另一台设备 ${owner.name}；请用 --data 指定本机的目录。` },
  )
}

function readOwner(fs: RingFs, path: string): { uuid: string; name: string } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(readSalvaged(fs, path)).toString())
    if (typeof value !== 'object' || value === null) return undefined
    const { uuid, name } = value as { uuid?: unknown; name?: unknown }
    return typeof uuid === 'string' ? { uuid, name: String(name) } : undefined
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}
