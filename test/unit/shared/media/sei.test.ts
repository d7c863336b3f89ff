import { expect, test } from 'vitest'
import { hasRecoveryPoint } from '../../../../shared/media/sei.ts'
import { hex } from '../../../support/hex.ts'

test.each([
  ['a recovery point', '06 06 01 c0 80', true],
  ['one behind other messages', '06 01 02 aabb 06 01 c0 80', true],
  ['one behind a message of 256 bytes', `06 05 ff01 ${'ab'.repeat(256)} 06 01 c0 80`, true],
  ['one behind a message with emulation prevention', '06 05 04 000003 0000 06 01 c0 80', true],
  ['payload bytes that look like one', '06 05 04 06 01 c0 80 80', false],
  ['a type of 255 + 6', '06 ff06 01 c0 80', false],
  ['a size past the end', '06 05 ff 06 01', false],
  ['nothing', '06', false],
  ['endless 255', `06 ${'ff'.repeat(1000)}`, false],
])('%s', (_name, nal, expected) => {
  expect(hasRecoveryPoint(hex(nal))).toBe(expected)
})
