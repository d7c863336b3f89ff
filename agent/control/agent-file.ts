import { randomBytes, randomUUID } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { role } from '../../shared/contract/agent-api.ts'
import { name } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import { phonesRememberedMax, tokensMax } from '../../shared/limits.ts'

const token = z.object({
  id: z.string(),
  name,
  role,
  stream: name.optional(),
  /** SHA-256 of the token, hex. The token itself is nowhere on the disk, but for `admin.token`. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.number().int(),
})
export type StoredToken = z.infer<typeof token>

const allowedPhone = z.object({
  id: z.string().max(200),
  stream: name.optional(),
  allowedAt: z.number().int(),
})

const key = z.string().regex(/^[0-9a-f]{64}$/)
const newKey = () => randomBytes(32).toString('hex')

const agentRecord = z.looseObject({
  version: z.literal(1),
  uuid: z.uuid(),
  name,
  /** Signs the page's session cookies, hex. */
  sessionKey: key,
  /** Signs links to streams, hex. Another one ends all links. */
  linkKey: key.default(newKey),
  tokens: z.array(token).max(tokensMax),
  phones: z.array(allowedPhone).max(phonesRememberedMax),
})
export type AgentRecord = z.infer<typeof agentRecord>

/** `agent.json`: who this agent is, which tokens it knows and which phones were allowed. */
export type AgentFile = {
  readonly record: AgentRecord
  /** Visible at once; resolves when it is durable. A failed write leaves the record as it was asked for. */
  update(change: (record: AgentRecord) => AgentRecord): Promise<void>
}

/** Reads the file or makes it. `DataLoss` when it is there but cannot be read: its tokens are not thrown away. */
export async function openAgentFile(path: string, defaults: { name: string }): Promise<AgentFile> {
  const found = await readRecord(path)
  const file = new JsonAgentFile(path, found?.record ?? newRecord(defaults.name))
  if (!found?.isComplete) await file.update((record) => record)
  return file
}

class JsonAgentFile implements AgentFile {
  readonly #path: string
  #record: AgentRecord
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string, record: AgentRecord) {
    this.#path = path
    this.#record = record
  }

  get record(): AgentRecord {
    return this.#record
  }

  update(change: (record: AgentRecord) => AgentRecord): Promise<void> {
    this.#record = agentRecord.parse(change(this.#record))
    // One after another: the file then always holds the newest record when the last write returns.
    const write = () => writeDurably(this.#path, `${JSON.stringify(this.#record, undefined, 2)}\n`)
    this.#writing = this.#writing.then(write, write)
    return this.#writing
  }
}

function newRecord(agentName: string): AgentRecord {
  const keys = { sessionKey: newKey(), linkKey: newKey() }
  return { version: 1, uuid: randomUUID(), name: agentName, ...keys, tokens: [], phones: [] }
}

/** `isComplete`: it holds every key; a file of an earlier version does not. */
async function readRecord(path: string): Promise<{ record: AgentRecord; isComplete: boolean } | undefined> {
  const text = await readIfThere(path)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    const record = agentRecord.parse(value)
    return { record, isComplete: Object.keys(record).every((key) => key in (value as object)) }
  } catch (cause) {
    throw new AppError('DataLoss', `${path} cannot be read: restore it, or delete it and make new tokens`, {
      cause,
      zh: `无法读取 ${path}：请恢复该文件，或删除后重新创建令牌。`,
    })
  }
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whole or not at all, also after a power cut: tmp, fsync, rename, fsync of the directory. Mode 0600. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`
  {
    await using file = await open(temporary, 'w', 0o600)
    await file.chmod(0o600) // A left-over may have had another mode.
    await file.writeFile(text)
    await file.sync()
  }
  await rename(temporary, path)
  if (process.platform === 'win32') return // Directories cannot be synced there.
  await using directory = await open(dirname(path), 'r')
  await directory.sync()
}
