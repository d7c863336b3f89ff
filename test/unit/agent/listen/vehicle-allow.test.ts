import { expect, test } from 'vitest'
import { vehicleAllow } from '../../../../agent/listen/vehicle-allow.ts'

const sim = '013800138000'

test.each([
  [[], '127.0.0.1', true],
  [[], '10.1.2.3', false],
  [['10.0.0.0/8'], '10.1.2.3', true],
  [['10.0.0.0/8'], '::ffff:10.1.2.3', true],
  [['10.0.0.0/8'], '11.1.2.3', false],
  [['10.0.0.0/8'], '127.0.0.1', true],
  [['192.168.1.7'], '192.168.1.7', true],
  [['2001:db8::/32'], '2001:db8::5', true],
  [['13800138000'], '203.0.113.9', true],
  [['00000000013800138000'], '203.0.113.9', true],
  [['13800138001'], '203.0.113.9', false],
  [['13800138001'], '127.0.0.1', false],
  [['13800138001', '127.0.0.0/8'], '127.0.0.1', true],
  [['13800138000@203.0.113.0/24'], '203.0.113.9', true],
  [['13800138000@203.0.113.0/24'], '198.51.100.9', false],
] as [string[], string, boolean][])('%j admits it from %s: %s', (list, address, expected) => {
  expect(vehicleAllow(list).vehicle(sim, address)).toBe(expected)
})

test('an address from which no SIM is admitted is known before the first byte', () => {
  expect(vehicleAllow([]).address('10.1.2.3')).toBe(false)
  expect(vehicleAllow(['13800138000@203.0.113.0/24']).address('198.51.100.9')).toBe(false)
  expect(vehicleAllow(['13800138000']).address('198.51.100.9')).toBe(true)
  expect(vehicleAllow([]).address('')).toBe(false)
})

test.each([
  '10.0.0.0/33',
  '10.0.0',
  'door',
  '@10.0.0.0/8',
  '13800138000@',
  '1@2@3',
  '10.0.0.0/8/8',
  '10.0.0.0/x',
  '',
])('%j is no entry', (entry) => {
  expect(() => vehicleAllow([entry])).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
})
