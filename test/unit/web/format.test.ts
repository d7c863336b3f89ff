import { expect, test } from 'vitest'
import {
  dayKey,
  formatBitRate,
  formatBytes,
  formatCodec,
  formatDateTime,
  formatDuration,
  formatSpan,
} from '../../../web/format.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [999.6, '1.0 kB'],
  [1500, '1.5 kB'],
  [99_400, '99.4 kB'],
  [212e9, '212 GB'],
  [18.4e9, '18.4 GB'],
  [4e15, '4000 TB'],
])('%d bytes are %s', (bytes, words) => expect(formatBytes(bytes)).toBe(words))

test.each([
  [0, '0 kb/s'],
  [820_400, '820 kb/s'],
  [999_499, '999 kb/s'],
  [999_500, '1.0 Mb/s'],
  [4_080_000, '4.1 Mb/s'],
])('%d bits per second are %s', (rate, words) => expect(formatBitRate(rate)).toBe(words))

test.each([
  [-5, '0:00'],
  [7999, '0:07'],
  [754_000, '12:34'],
  [3_723_000, '1:02:03'],
  [360_000_000, '100:00:00'],
])('%d ms last %s', (ms, words) => expect(formatDuration(ms)).toBe(words))

test.each([
  [0, '0 ms'],
  [240, '240 ms'],
  [3500, '3.5 s'],
  [42_000, '42 s'],
  [720_000, '12 min'],
  [10_800_000, '3 h'],
  [604_800_000, '7 d'],
])('%d ms span %s', (ms, words) => expect(formatSpan(ms)).toBe(words))

test.each([
  ['h264', 'H.264'],
  ['h265', 'H.265'],
  ['aac', 'AAC'],
])('%s is written %s', (codec, words) => expect(formatCodec(codec)).toBe(words))

test('a day is the one on the calendar of the viewer', () => {
  expect(dayKey(new Date(2026, 10, 3, 23, 59).getTime())).toBe('2026-11-03')
  expect(dayKey(new Date(2026, 10, 4, 0, 0).getTime())).toBe('2026-11-04')
})

test('dates are written as the language writes them', () => {
  const ms = new Date(2026, 10, 20, 14, 3, 22).getTime()
  expect(formatDateTime(ms, 'en')).toBe('20 Nov 2026, 14:03:22')
  expect(formatDateTime(ms, 'zh')).toBe('2026年11月20日 14:03:22')
})
