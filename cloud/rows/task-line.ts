import { z } from 'zod'
import type { Catalogue, Row } from '../ports.ts'
import { changeRow } from './change-row.ts'
import { timeKey } from './keys.ts'

export const priorities = ['high', 'normal', 'low'] as const
export type Priority = (typeof priorities)[number]

/**
 * Unfinished tasks of one kind as they stand in line: pk `LINE#<kind>`, sk `<priority>#<time>#<task>`. At most a few
 * hundred, so one page of a query tells who waits before whom, and how many there are.
 */
const lineRow = z.looseObject({ pk: z.string(), sk: z.string(), task: z.string(), subject: z.string() })
export type Waiting = { sk: string; task: string; subject: string; rank: string }

const linePk = (kind: string) => `LINE#${kind}`

export function newLineRow(
  kind: string,
  of: { task: string; subject: string; priority: Priority; createdAt: number },
): Row {
  const sk = `${priorities.indexOf(of.priority)}#${timeKey(of.createdAt)}#${of.task}`
  return { pk: linePk(kind), sk, task: of.task, subject: of.subject }
}

/** In the order of the line. */
export async function readLine(catalogue: Catalogue, kind: string): Promise<Waiting[]> {
  const waiting: Waiting[] = []
  let cursor: string | undefined
  do {
    const page = await catalogue.query({ pk: linePk(kind), ...(cursor !== undefined && { cursor }) })
    for (const row of page.rows) {
      const { sk, task, subject } = lineRow.parse(row)
      waiting.push({ sk, task, subject, rank: sk.slice(0, 1) })
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return waiting
}

export async function leaveLine(catalogue: Catalogue, kind: string, task: string): Promise<void> {
  const all = await readLine(catalogue, kind)
  for (const waiting of all) if (waiting.task === task) await catalogue.delete(linePk(kind), waiting.sk)
}

/** pk `U#<subject>`, sk the kind: which tasks of one person are at work. */
const seatsRow = z.looseObject({ seats: z.array(z.object({ task: z.string(), sinceMs: z.number() })) })

const seatsKey = (kind: string, subject: string) => ({ pk: `U#${subject}`, sk: kind })

/**
 * Takes one of a person's places at work; false when all are taken. A place whose holder has not come to work within a
 * minute, or is over, is free again: `isAtWork` tells.
 */
export async function takeSeat(
  catalogue: Catalogue,
  of: { kind: string; subject: string; task: string; max: number; nowMs: number },
  isAtWork: (task: string) => Promise<boolean>,
): Promise<boolean> {
  const key = seatsKey(of.kind, of.subject)
  const before = await catalogue.get(key.pk, key.sk)
  const held = before ? seatsRow.parse(before).seats : []
  const still = await Promise.all(
    held.map(
      async ({ task, sinceMs }) => Math.abs(of.nowMs - sinceMs) < seatHeldMs || (await isAtWork(task)),
    ),
  )
  const seats = held.filter(({ task }, i) => still[i] && task !== of.task)
  if (seats.length >= of.max) return false
  const after = { ...key, seats: [...seats, { task: of.task, sinceMs: of.nowMs }] }
  await catalogue.put(after, before?.version ?? 'absent')
  return true
}

const seatHeldMs = 60_000 // A lease: by then a task that took a place has claimed its row, or was killed.

export async function leaveSeat(
  catalogue: Catalogue,
  of: { kind: string; subject: string; task: string },
): Promise<void> {
  await changeRow(catalogue, seatsKey(of.kind, of.subject), (row) => {
    if (!row) return undefined
    return { ...row, seats: seatsRow.parse(row).seats.filter(({ task }) => task !== of.task) }
  })
}
