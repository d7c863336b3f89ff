import { createHash, randomBytes } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AppError } from '../shared/error.ts'
import { writeDurably } from './control/agent-file.ts'

/** `cloud.json` (0600): the cloud that this agent uploads to, and its token there. Written by `edgereel enroll`. */
const enrolment = z.looseObject({
  version: z.literal(1),
  api: z.url({ protocol: /^https?$/ }),
  agent: z.string(),
  token: z.string().min(40),
})
export type Enrolment = z.infer<typeof enrolment>

const pathOf = (data: string) => join(data, 'cloud.json')
const pendingPath = (data: string) => join(data, 'cloud.json.pending')

/** Undefined when this data directory was never enrolled. `DataLoss` when the file cannot be read. */
export async function readEnrolment(data: string): Promise<Enrolment | undefined> {
  const text = await readFile(pathOf(data), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const parsed = enrolment.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  const path = pathOf(data)
  throw new AppError(
    'DataLoss',
    `${path} cannot be read: enrol this machine again (edgereel enroll URL#CODE)`,
    {
      zh: `无法读取 ${path}：请重新注册本机（edgereel enroll URL#CODE）。`,
    },
  )
}

export async function saveEnrolment(data: string, of: Omit<Enrolment, 'version'>): Promise<void> {
  await writeDurably(pathOf(data), `${JSON.stringify({ version: 1, ...of }, undefined, 2)}\n`)
  await rm(pendingPath(data), { force: true })
}

/** On the disk before the code is spent: an answer that is lost is asked for again with the same token. */
export async function tokenFor(data: string, code: string): Promise<string> {
  const key = createHash('sha256').update(code).digest('hex')
  const text = await readFile(pendingPath(data), 'utf8').catch(() => '')
  const pending = z.object({ code: z.string(), token: z.string() }).safeParse(parseJson(text)).data
  if (pending?.code === key) return pending.token
  const token = randomBytes(32).toString('base64url')
  await writeDurably(pendingPath(data), JSON.stringify({ code: key, token }))
  return token
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
