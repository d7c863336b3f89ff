/** How benches say what they measured: medians of rounds with their spread, in tables that go into docs/performance.md. */

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (values: readonly number[]) => quantile(values, 0.5)

export const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)

/** Three digits that mean something. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size >= 100) return value.toFixed(0)
  return value.toFixed(size >= 10 ? 1 : 2)
}

/** `median (least–most)`. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return '–'
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return `${short(median(values))} (${short(least)}–${short(most)})`
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** The same order would give one of them the warm cache each time. */
export function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const at = by % Math.max(1, items.length)
  return [...items.slice(at), ...items.slice(0, at)]
}

/** `--rounds 3 --seconds 8` and the like; numbers only. */
export function numbers<Name extends string>(defaults: Record<Name, number>): Record<Name, number> {
  const values = { ...defaults }
  const args = process.argv.slice(2)
  for (const [at, arg] of args.entries()) {
    const name = arg.replace(/^--/, '') as Name
    if (arg.startsWith('--') && name in defaults) values[name] = Number(args[at + 1])
  }
  return values
}
