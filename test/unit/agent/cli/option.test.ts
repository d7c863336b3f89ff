import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { secondsOption, timeOption, wallMsOption, wholeOption } from '../../../../agent/cli/option.ts'

beforeAll(() => void vi.stubEnv('LC_ALL', 'C'))
afterAll(() => void vi.unstubAllEnvs())

test.each([
  ['-30s', '-30s'],
  ['-2h', '-2h'],
  ['1795175376493', 1_795_175_376_493],
  ['2026-11-20T14:03:22Z', '2026-11-20T14:03:22Z'],
  ['2026-11-20T14:03:22', new Date(2026, 10, 20, 14, 3, 22).getTime()],
  ['2026-11-20 14:03', new Date(2026, 10, 20, 14, 3).getTime()],
  ['2026-11-20', new Date(2026, 10, 20).getTime()],
])('the time %s', (text, time) => {
  expect(timeOption('--from', text)).toEqual(time)
})

test.each(['yesterday', '30s', '-30d', '', '1', '2026-13-45', 'Nov 20'])('%j is no time', (text) => {
  expect(() => timeOption('--from', text)).toThrow(/^--from .*is no time: give 2026-11-20T14:03:22/)
})

test('a relative time is counted from now where the server knows none', () => {
  expect(wallMsOption('--from', '-5m', 1_000_000)).toBe(700_000)
  expect(wallMsOption('--from', '1795175376493', 0)).toBe(1_795_175_376_493)
})

test('seconds are above 0, whole numbers within their bounds', () => {
  expect(secondsOption('--for', '1.5')).toBe(1.5)
  for (const text of ['0', '-1', 'abc', 'Infinity'])
    expect(() => secondsOption('--for', text)).toThrow(/above 0/)
  expect(wholeOption('--limit', '100', 1, 100)).toBe(100)
  for (const text of ['0', '101', '1.5', 'x', ''])
    expect(() => wholeOption('--limit', text, 1, 100)).toThrow('--limit is a whole number from 1 to 100')
})
