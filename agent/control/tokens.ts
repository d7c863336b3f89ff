import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import type { Role, TokenInfo } from '../../shared/contract/agent-api.ts'
import { AppError } from '../../shared/error.ts'
import { tokensMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type AgentFile, readIfThere, type StoredToken, writeDurably } from './agent-file.ts'

const adminName = 'admin'
const tokenBytes = 32
const tokenPattern = /^[A-Za-z0-9_-]{43}$/ // 256 bits, base64url.

export type Tokens = {
  /** Undefined for a token that is unknown or revoked. */
  find(token: string): StoredToken | undefined
  byId(id: string): StoredToken | undefined
  list(): TokenInfo[]
  /** `AlreadyExists` for a name in use. The token is shown this once. */
  create(request: {
    name: string
    role: Role
    stream?: string | undefined
  }): Promise<TokenInfo & { token: string }>
  /** Takes an id or a name. `NotFound`; `FailedPrecondition` for the admin's. */
  revoke(idOrName: string): Promise<void>
}

const sha256 = (text: string) => createHash('sha256').update(text).digest()
const newToken = () => randomBytes(tokenBytes).toString('base64url')

/** The tokens of `agent.json`, and the admin's, which is also in `admin.token` (0600) for the commands of this PC. */
export async function openTokens(options: {
  file: AgentFile
  adminPath: string
  clock: Clock
  /** Whoever it let in is to leave. */
  onRevoked?: (name: string) => void
}): Promise<Tokens> {
  const { file, adminPath, clock } = options
  await adoptAdmin(file, adminPath, clock)
  const lastUsed = new Map<string, number>()
  const info = (stored: StoredToken): TokenInfo => describe(stored, lastUsed.get(stored.id))

  return {
    find: (token) => {
      const found = findToken(file.record.tokens, token)
      if (found) lastUsed.set(found.id, clock.nowMs())
      return found
    },
    byId: (id) => file.record.tokens.find((stored) => stored.id === id),
    list: () => file.record.tokens.map(info),
    create: async (request) => {
      const token = newToken()
      const stored = store({ ...request, token, createdAt: clock.nowMs() })
      checkRoom(file.record.tokens, request.name)
      await file.update((record) => ({ ...record, tokens: [...record.tokens, stored] }))
      return { ...info(stored), token }
    },
    revoke: async (idOrName) => {
      const stored = file.record.tokens.find(({ id, name }) => id === idOrName || name === idOrName)
      if (!stored) throw new AppError('NotFound', 'there is no such token', { zh: '没有此令牌。' })
      if (stored.name === adminName) {
        throw new AppError(
          'FailedPrecondition',
          'replace admin.token and restart to change the admin’s token',
          {
            zh: '要更换管理员令牌，请替换 admin.token 并重启。',
          },
        )
      }
      const saved = file.update((record) => ({
        ...record,
        tokens: record.tokens.filter(({ id }) => id !== stored.id),
      }))
      options.onRevoked?.(stored.name) // At once, also where the disk is full and only this run forgets it.
      await saved
    },
  }
}

// Every hash is compared, each in constant time: how long it takes tells nothing about what is stored.
function findToken(tokens: readonly StoredToken[], token: string): StoredToken | undefined {
  const digest = sha256(token)
  let found: StoredToken | undefined
  for (const stored of tokens) {
    if (timingSafeEqual(Buffer.from(stored.sha256, 'hex'), digest)) found = stored
  }
  return found
}

function describe({ sha256: _, ...stored }: StoredToken, lastUsedAt: number | undefined): TokenInfo {
  return lastUsedAt === undefined ? stored : { ...stored, lastUsedAt }
}

function store(request: {
  name: string
  role: Role
  stream?: string | undefined
  token: string
  createdAt: number
}): StoredToken {
  const { token, stream, ...rest } = request
  const bound = stream === undefined ? {} : { stream }
  return { id: randomUUID(), ...rest, ...bound, sha256: sha256(token).toString('hex') }
}

function checkRoom(tokens: readonly StoredToken[], name: string): void {
  if (tokens.some((stored) => stored.name === name)) {
    throw new AppError('AlreadyExists', `there is a token of the name ${name}`, {
      zh: `已有名为 ${name} 的令牌。`,
    })
  }
  if (tokens.length >= tokensMax) {
    throw new AppError('ResourceExhausted', `there are ${tokensMax} tokens: revoke one`, {
      zh: `已有 ${tokensMax} 个令牌，请先撤销一个。`,
    })
  }
}

async function adoptAdmin(file: AgentFile, path: string, clock: Clock): Promise<void> {
  const token = (await readAdminToken(path)) ?? (await makeAdminToken(path))
  const stored = store({ name: adminName, role: 'admin', token, createdAt: clock.nowMs() })
  const known = file.record.tokens.find(({ name }) => name === adminName)
  if (known?.sha256 === stored.sha256) return
  const others = file.record.tokens.filter(({ name }) => name !== adminName)
  await file.update((record) => ({ ...record, tokens: [stored, ...others] }))
}

async function readAdminToken(path: string): Promise<string | undefined> {
  const token = (await readIfThere(path))?.trim()
  if (token === undefined) return undefined
  if (!tokenPattern.test(token)) {
    throw new AppError('FailedPrecondition', `${path} holds no token: delete it, and a new one is made`, {
      zh: `${path} 中没有有效令牌：请删除该文件，程序会重新生成。`,
    })
  }
  await chmod(path, 0o600)
  return token
}

async function makeAdminToken(path: string): Promise<string> {
  const token = newToken()
  await writeDurably(path, `${token}\n`)
  return token
}
