import { expect, test } from 'vitest'
import {
  channelName,
  channelNumber,
  paddedSim,
  parseChannelName,
  shownSim,
} from '../../../web/vehicles/channel-name.ts'
import { fieldsOf, formatIn, rangeOf, zoneName } from '../../../web/vehicles/zone-time.ts'

const hourMs = 3_600_000

test.each([
  ['064959409438', 2016, 3, '06495940943803'],
  ['64959409438', 2016, 255, '064959409438ff'],
  [' 013800138000 ', 2019, 1, '0000000001380013800001'],
  ['ABCdef', 2016, 0, '000000abcdef00'],
] as const)('SIM %s of %i, channel %i is the stream %s', (sim, version, channel, name) => {
  expect(channelName(paddedSim(sim, version) ?? '', channel)).toBe(name)
  expect(parseChannelName(name)).toMatchObject({ sim: name.slice(0, -2), channel, door: 'live' })
  expect(parseChannelName(`replay-${name}`)).toMatchObject({ door: 'history', device: name })
})

test.each([
  ['', 2016],
  [' ', 2016],
  ['1234567890123', 2016],
  ['1'.repeat(21), 2019],
  ['12-34', 2016],
] as const)('%j is no SIM of %i', (sim, version) => expect(paddedSim(sim, version)).toBeUndefined())

test.each(['', '256', '-1', '1.5', 'a', '0001'])('%j is no channel', (text) =>
  expect(channelNumber(text)).toBeUndefined(),
)

test('names that are no channel', () => {
  for (const name of ['door', '0649594094380', 'replay-06495940943803-t0']) {
    expect(parseChannelName(name)).toBeUndefined()
  }
  expect([shownSim('013800138000'), shownSim('000000000000')]).toEqual(['13800138000', '0'])
})

const now = Date.parse('2026-11-20T12:00:00Z')

test('a range is of the vehicle’s clock, whatever the viewer’s', () => {
  const fields = { day: '2026-11-20', from: '10:00:00', to: '10:05:30' }
  const range = { from: Date.parse('2026-11-20T02:00:00Z'), to: Date.parse('2026-11-20T02:05:30Z') }
  expect(rangeOf(fields, 8 * hourMs, now)).toEqual(range)
  expect(fieldsOf(range, 8 * hourMs)).toEqual(fields)
  expect(formatIn(range.from, 8 * hourMs, 'en')).toBe('20 Nov 2026, 10:00:00')
  expect(zoneName(8 * hourMs)).toBe('UTC+08:00')
  expect(zoneName(-6.5 * hourMs)).toBe('UTC-06:30')
})

test('an end before the beginning is of the next day; no range is longer than a day', () => {
  const over = rangeOf({ day: '2026-11-19', from: '23:50:00', to: '00:10:00' }, 0, now)
  expect((over?.to ?? 0) - (over?.from ?? 0)).toBe(1_200_000)
  const whole = rangeOf({ day: '2026-11-19', from: '08:00:00', to: '08:00:00' }, 0, now)
  expect((whole?.to ?? 0) - (whole?.from ?? 0)).toBe(24 * hourMs)
})

test.each([
  { day: '2026-11-20', from: '13:00:00', to: '13:10:00' }, // To come.
  { day: '', from: '10:00:00', to: '10:10:00' },
  { day: '2026-11-20', from: '', to: '10:10:00' },
])('%o is no range', (fields) => expect(rangeOf(fields, 0, now)).toBeUndefined())
