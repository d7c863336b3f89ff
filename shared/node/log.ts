import { type Logger, pino } from 'pino'

export type Log = Logger

// Values under these names never reach a log line, however deep a caller nests them by one level.
const secretKeys = ['token', 'authorization', 'cookie', 'password', 'secret', 'code', 'url.query']
const redact = { paths: secretKeys.flatMap((key) => [key, `*.${key}`]), censor: '…' }

/**
 * One JSON line an event on a pipe or file, one short line on a terminal; both on stderr, so that stdout
 * stays for results. Words from outside go into fields, never into the message: JSON escapes them.
 */
export function createLog(area: string, options: { level?: string; terminal?: boolean } = {}): Log {
  const level = options.level ?? process.env.EDGEREEL_LOG ?? 'info'
  const terminal = options.terminal ?? process.stderr.isTTY
  const destination = terminal
    ? { write: (line: string) => process.stderr.write(humanLine(line)) }
    : pino.destination({ dest: 2, sync: true })
  return pino({ level, base: { area }, redact, timestamp: pino.stdTimeFunctions.isoTime }, destination)
}

const levelNames: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: '',
  40: 'warning',
  50: 'error',
  60: 'fatal',
}

/** `14:03:07 phone: connected stream="Pixel-6a"`: control characters of values stay escaped by JSON. */
export function humanLine(line: string): string {
  const { level, time, area, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
  const cause =
    typeof err === 'object' && err !== null && 'message' in err ? ` (${JSON.stringify(err.message)})` : ''
  const name = levelNames[Number(level)]
  return `${String(time).slice(11, 19)} ${area}: ${name ? `${name}: ` : ''}${msg ?? ''}${cause}${rest.join('')}\n`
}
