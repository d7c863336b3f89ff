import { signal } from '@preact/signals'
import type { RecordingItem } from '../../shared/contract/api.ts'
import { cloud } from '../api.ts'
import { recordings } from '../model.ts'
import { createResource } from '../poll.ts'
import { onTheirWay } from './on-its-way.ts'

export type Filters = { title: string; stream: string; from: string; to: string }

export const noFilters: Filters = { title: '', stream: '', from: '', to: '' }
export const filters = signal<Filters>(noFilters)

const dayMs = 86_400_000

/** Wall ms of midnight, in the viewer's zone, of a date field (`2026-11-20`). */
export function dayStart(date: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date)
  if (!match) return undefined
  return new Date(Number(match[1]), Number(match[2]) - 1, Number(match[3])).getTime()
}

/** The question that the filters ask of the API; `to` includes its whole day. */
export function queryOf({ title, stream, from, to }: Filters) {
  const lastDay = dayStart(to)
  return {
    title: title.trim() || undefined,
    stream: stream || undefined,
    from: dayStart(from),
    to: lastDay === undefined ? undefined : new Date(lastDay + dayMs * 1.5).setHours(0, 0, 0, 0), // 23 or 25 h days.
  }
}

/** Pages after the first, loaded on request; only the first is kept fresh. */
export const older = signal<{ items: RecordingItem[]; cursor: string | undefined } | undefined>(undefined)

/** The first page of what the filters match. */
export const firstPage = createResource((signal) => cloud.recordings(queryOf(filters.value), signal))

export function setFilters(next: Filters): void {
  filters.value = next
  older.value = undefined
  void firstPage.refresh()
}

export async function loadOlder(): Promise<void> {
  const cursor = older.value ? older.value.cursor : firstPage.value.value?.cursor
  if (cursor === undefined) return
  const asked = filters.value
  const page = await cloud.recordings({ ...queryOf(asked), cursor }, new AbortController().signal)
  if (filters.value !== asked) return // The filters changed meanwhile: this page belongs to another list.
  older.value = { items: [...(older.value?.items ?? []), ...page.recordings], cursor: page.cursor }
}

/** First page and older ones without doubles: a recording that is new moves the rest down by one. */
export function allItems(): RecordingItem[] {
  const seen = new Set<string>()
  const there = [...(firstPage.value.value?.recordings ?? []), ...(older.value?.items ?? [])].filter(
    ({ id }) => {
      if (seen.has(id)) return false
      seen.add(id)
      return true
    },
  )
  return isFiltered() ? there : [...onTheirWay(recordings.value.value ?? [], seen), ...there]
}

export const isFiltered = (): boolean => Object.values(filters.value).some((value) => value !== '')

export const hasMore = (): boolean =>
  (older.value ? older.value.cursor : firstPage.value.value?.cursor) !== undefined
