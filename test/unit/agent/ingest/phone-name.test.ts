import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cleanName, phoneName, uniqueName } from '../../../../agent/ingest/phone-name.ts'
import { isName } from '../../../../shared/contract/segment.ts'

test.each([
  ['Pixel 6a', '192.168.1.20', 'Pixel-6a-192.168.1.20'],
  ['Pixel 6a', '::ffff:192.168.1.20', 'Pixel-6a-192.168.1.20'],
  [undefined, '::1', 'phone-1'],
  ['', '10.0.0.1', 'phone-10.0.0.1'],
  ['小米 14', '10.0.0.1', '14-10.0.0.1'],
  ['../../etc/passwd', '10.0.0.1', 'etc-passwd-10.0.0.1'],
  ['CON', '10.0.0.1', 'CON-10.0.0.1'],
  ['x'.repeat(300), 'fe80::1%eth0', 'x'.repeat(60)],
])('model %j at %s is called %s', (model, address, expected) => {
  expect(phoneName(model, address)).toBe(expected)
})

test.each([
  ['con', 'phone-con'],
  ['', 'phone'],
  ['...', 'phone'],
  ['nul.txt', 'phone-nul.txt'],
  ['a.', 'a'],
])('%j becomes the name %s', (text, expected) => {
  expect(cleanName(text)).toBe(expected)
})

test('any text becomes a name, and so does its second bearer', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 5000 }), (text) => {
      const name = cleanName(text)
      expect(isName(name)).toBe(true)
      expect(isName(uniqueName(name, (taken) => taken === name))).toBe(true)
    }),
  )
})

test('the second phone of a name gets a number', () => {
  const taken = new Set(['a', 'a-2'])
  expect(uniqueName('a', (name) => taken.has(name))).toBe('a-3')
  expect(uniqueName('b', (name) => taken.has(name))).toBe('b')
})
