import { z } from 'zod'
import type { Catalogue } from '../ports.ts'
import { changeRow } from './change-row.ts'

/** pk `SES#<sha256 of the cookie>`, sk `META`: a browser that was given a token. It ends with that token. */
const sessionRow = z.looseObject({ tokenSha256: z.string(), expiresAt: z.number() })

const keyOf = (sha256: string) => ({ pk: `SES#${sha256}`, sk: 'META' })

export async function addSession(
  catalogue: Catalogue,
  session: { sha256: string; tokenSha256: string; expiresAt: number },
): Promise<void> {
  const { sha256, ...rest } = session
  await catalogue.put({ ...keyOf(sha256), ...rest, ttl: Math.ceil(session.expiresAt / 1000) }, 'absent')
}

/** Hash of the token that the session was opened with; undefined when it is unknown, ended or too old. */
export async function tokenOfSession(
  catalogue: Catalogue,
  sha256: string,
  nowMs: number,
): Promise<string | undefined> {
  const row = await catalogue.get(keyOf(sha256).pk, 'META')
  const session = row && sessionRow.parse(row)
  return session && session.expiresAt > nowMs ? session.tokenSha256 : undefined
}

export async function endSession(catalogue: Catalogue, sha256: string): Promise<void> {
  await changeRow(catalogue, keyOf(sha256), (row) => row && { ...row, expiresAt: 0 })
}
