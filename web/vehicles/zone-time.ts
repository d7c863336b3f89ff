/** Times as the clock of a vehicle shows them. `zoneMs`: how far it is ahead of UTC. */

const dayMs = 86_400_000
const rangeMsMax = dayMs // As the agent's API has it.

/** `2026-11-20`, as date fields have it. */
export function dayIn(ms: number, zoneMs: number): string {
  return new Date(ms + zoneMs).toISOString().slice(0, 10)
}

/** `14:03:22`, as time fields have it. */
export function timeIn(ms: number, zoneMs: number): string {
  return new Date(ms + zoneMs).toISOString().slice(11, 19)
}

export type RangeFields = { day: string; from: string; to: string }

export function fieldsOf(range: { from: number; to: number }, zoneMs: number): RangeFields {
  return {
    day: dayIn(range.from, zoneMs),
    from: timeIn(range.from, zoneMs),
    to: timeIn(range.to, zoneMs),
  }
}

/** Wall ms; an end that is not after the beginning is of the next day. Undefined for what is no range, or lies ahead. */
export function rangeOf(
  { day, from, to }: RangeFields,
  zoneMs: number,
  nowMs: number,
): { from: number; to: number } | undefined {
  const [begin, end] = [from, to].map((time) => Date.parse(`${day}T${time}Z`) - zoneMs)
  if (begin === undefined || end === undefined || Number.isNaN(begin) || Number.isNaN(end)) return undefined
  const range = { from: begin, to: end > begin ? end : end + dayMs }
  return begin < nowMs && range.to - begin <= rangeMsMax ? range : undefined
}

/** `UTC+08:00`. */
export function zoneName(zoneMs: number): string {
  return `UTC${zoneMs < 0 ? '-' : '+'}${new Date(Math.abs(zoneMs)).toISOString().slice(11, 16)}`
}

/** `20 Nov 2026, 14:03:22`. */
export function formatIn(ms: number, zoneMs: number, language: string): string {
  return new Intl.DateTimeFormat(language === 'zh' ? 'zh-CN' : 'en-GB', {
    dateStyle: 'medium',
    timeStyle: 'medium',
    timeZone: 'UTC',
  }).format(ms + zoneMs)
}
