import { AppError } from '../../shared/error.ts'
import type { Catalogue, Row } from '../ports.ts'
import { clampWallMs, monthKey, timeKey } from './keys.ts'

// Lists are kept in GSI1, one partition a month. Which months there are stands in rows of their own
// (pk `M#<prefix>`, sk the month), so that a list of an archive with empty years needs no guessing.

/** To be called before the first row of a month is written. */
export async function noteMonth(catalogue: Catalogue, prefix: string, wallMs: number): Promise<void> {
  const key = { pk: `M#${prefix}`, sk: monthKey(clampWallMs(wallMs)) }
  if (await catalogue.get(key.pk, key.sk)) return
  try {
    await catalogue.put(key, 'absent')
  } catch (error) {
    if (AppError.from(error).kind !== 'Aborted') throw error // Aborted: another writer noted it just now.
  }
}

/** Months of which there are rows, oldest first, up to that of `wallMs`. */
export async function monthsUntil(catalogue: Catalogue, prefix: string, wallMs: number): Promise<string[]> {
  const { rows } = await catalogue.query({ pk: `M#${prefix}`, to: monthKey(clampWallMs(wallMs)) })
  return rows.map(({ sk }) => sk) // A page of 1 MB holds thousands of years.
}

type Page = { rows: Row[]; cursor?: string }

/** `before`: wall ms, only rows of an earlier time. `cursor` is opaque. */
export type NewestFirst = { cursor?: string; limit?: number; before?: number }

/** Rows of the GSI1 partitions `<prefix><month>`, newest first, over the borders of months. */
export async function newestFirst(catalogue: Catalogue, prefix: string, options: NewestFirst): Promise<Page> {
  const limit = options.limit ?? 100
  const rows: Row[] = []
  const before = options.before === undefined ? undefined : clampWallMs(options.before)
  const newest = before === undefined ? '~' : monthKey(before)
  let at = splitCursor(options.cursor) ?? {
    month: await monthAtOrBefore(catalogue, prefix, newest),
    inner: undefined,
  }
  while (at.month !== undefined) {
    const page: Page = await catalogue.query({
      index: 'gsi1',
      pk: `${prefix}${at.month}`,
      descending: true,
      limit: limit - rows.length,
      ...(before !== undefined && at.month === newest && { to: timeKey(before) }),
      ...(at.inner !== undefined && { cursor: at.inner }),
    })
    rows.push(...page.rows)
    at =
      page.cursor !== undefined
        ? { month: at.month, inner: page.cursor }
        : { month: await monthAtOrBefore(catalogue, prefix, justBefore(at.month)), inner: undefined }
    if (rows.length >= limit && at.month !== undefined)
      return { rows, cursor: `${at.month}|${at.inner ?? ''}` }
  }
  return { rows }
}

type At = { month: string | undefined; inner: string | undefined }

async function monthAtOrBefore(
  catalogue: Catalogue,
  prefix: string,
  to: string,
): Promise<string | undefined> {
  const { rows } = await catalogue.query({ pk: `M#${prefix}`, to, descending: true, limit: 1 })
  return rows[0]?.sk
}

/** The greatest string below a month: `2026-03` gives `2026-02~`. */
function justBefore(month: string): string {
  const last = month.charCodeAt(month.length - 1)
  return `${month.slice(0, -1)}${String.fromCharCode(last - 1)}~`
}

function splitCursor(cursor: string | undefined): At | undefined {
  const match = /^(\d{4}-\d{2})\|(.*)$/s.exec(cursor ?? '')
  return match ? { month: match[1], inner: match[2] || undefined } : undefined
}
