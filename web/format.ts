/** Figures as people read them. Pure; the language decides only dates. */

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** `1.5 GB`: decimal units, as disks are sold and quotas are written. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1
  return `${value.toFixed(digits)} ${units[unit]}`
}

/** `4.1 Mb/s`, `820 kb/s`. */
export function formatBitRate(bitsPerSecond: number): string {
  if (bitsPerSecond >= 999_500) return `${(bitsPerSecond / 1e6).toFixed(1)} Mb/s`
  return `${Math.round(bitsPerSecond / 1000)} kb/s`
}

/** `0:07`, `12:34`, `1:02:03`. */
export function formatDuration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000))
  const seconds = String(total % 60).padStart(2, '0')
  const minutes = Math.floor(total / 60) % 60
  const hours = Math.floor(total / 3600)
  return hours === 0 ? `${minutes}:${seconds}` : `${hours}:${String(minutes).padStart(2, '0')}:${seconds}`
}

/** A short span with its unit: `240 ms`, `3.5 s`, `12 min`, `3 h`, `2 d`. */
export function formatSpan(ms: number): string {
  const size = Math.abs(ms)
  if (size < 1000) return `${Math.round(ms)} ms`
  if (size < 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (size < 120_000) return `${Math.round(ms / 1000)} s`
  if (size < 7_200_000) return `${Math.round(ms / 60_000)} min`
  if (size < 172_800_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** `H.264` for `h264`; other names in capitals. */
export function formatCodec(codec: string): string {
  return codec.replace(/^h(26[45])$/, 'H.$1').toUpperCase()
}

const locale = (language: string): string => (language === 'zh' ? 'zh-CN' : 'en-GB')

/** `14:03:22` in the viewer's zone. */
export function formatTime(ms: number, language: string): string {
  return new Intl.DateTimeFormat(locale(language), { timeStyle: 'medium' }).format(ms)
}

/** `20 November 2026`. */
export function formatDay(ms: number, language: string): string {
  return new Intl.DateTimeFormat(locale(language), { dateStyle: 'long' }).format(ms)
}

/** `20 Nov 2026, 14:03:22`. */
export function formatDateTime(ms: number, language: string): string {
  return new Intl.DateTimeFormat(locale(language), { dateStyle: 'medium', timeStyle: 'medium' }).format(ms)
}

/** `2026-11-20` in the viewer's zone: groups what happened on one day. */
export function dayKey(ms: number): string {
  const day = new Date(ms)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`
}
