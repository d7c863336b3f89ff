/** Everything a command prints on stdout goes through here, so that `--json` is one decision. */

export type Output = {
  json: boolean
  /** True when stdout is a terminal: then a progress bar is redrawn in place. */
  terminal: boolean
  write(text: string): void
}

export function createOutput(json: boolean): Output {
  // `edgereel ls | head -1`: whoever read has enough.
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') process.stderr.write(`edgereel: ${message}\n`)
    process.exit(code === 'EPIPE' ? 0 : 1)
  })
  return { json, terminal: process.stdout.isTTY ?? false, write: (text) => void process.stdout.write(text) }
}

/** The value as JSON, or the text that a person reads. */
export function print(output: Output, value: unknown, text: () => string): void {
  output.write(output.json ? `${JSON.stringify(value)}\n` : `${text()}\n`)
}

/**
 * Columns as wide as their widest cell; CJK letters count two, as terminals show them. On a terminal the last column
 * ends at its edge, where enough of it is left to be read.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns = process.stdout.columns ?? Number.POSITIVE_INFINITY,
): string {
  const all = [head, ...rows].map((row) => row.map(printable))
  const widths = head.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))))
  const before = widths.slice(0, -1).reduce((sum, one) => sum + one + 2, 0)
  const last = Math.max(columns - before, lastColumnMin)
  return all
    .map((row) => row.map((cell, column) => (column === head.length - 1 ? cut(cell, last) : cell)))
    .map((row) =>
      row
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** A terminal obeys control characters: names and titles from outside must not carry any. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\u{fffd}')
}

const lastColumnMin = 12

function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text
  let kept = text
  while (width(kept) > columns - 1) kept = kept.slice(0, -1)
  return `${kept}…`
}

function width(text: string): number {
  let columns = 0
  for (const letter of text)
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/u.test(
        letter,
      )
        ? 2
        : 1
  return columns
}

/** A bar redrawn in place on a terminal; elsewhere a plain line each time ten more percent are done. */
export class Progress {
  readonly #output: Output
  #lastLine = -1

  constructor(output: Output) {
    this.#output = output
  }

  /** `percent` from 0 to 100. */
  show(percent: number, message: string): void {
    if (this.#output.json) return
    if (this.#output.terminal) {
      const filled = Math.round((percent / 100) * 24)
      this.#output.write(
        `\r\u001b[K[${'#'.repeat(filled)}${'.'.repeat(24 - filled)}] ${Math.round(percent)} % ${printable(message)}`,
      )
      return
    }
    const line = Math.floor(percent / 10)
    if (line === this.#lastLine) return
    this.#lastLine = line
    this.#output.write(`${Math.round(percent)} % ${printable(message)}\n`)
  }

  done(): void {
    if (!this.#output.json && this.#output.terminal) this.#output.write('\r\u001b[K')
  }
}

export function sizeText(bytes: number): string {
  for (const [unit, factor] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(1)} ${unit}`
  }
  return `${bytes} B`
}

export function durationText(ms: number): string {
  const s = Math.round(ms / 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  return s >= 3600
    ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`
    : `${Math.floor(s / 60)}:${two(s % 60)}`
}

/** Local time with offset, to the second: what a person compares with a clock on the wall. */
export function timeText(wallMs: number): string {
  const date = new Date(wallMs)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}
