import { expect, test } from 'vitest'
import { PhoneSequence } from '../../../../agent/ingest/phone-sequence.ts'

const steps = (...numbers: number[]) => {
  const sequence = new PhoneSequence()
  return numbers.map((number) => {
    const peeked = sequence.peek(number)
    const step = sequence.next(number)
    expect(peeked).toEqual(step)
    return step.kind === 'gap' ? `gap ${step.missing}` : step.kind
  })
}

test.each([
  ['one after the other', [0, 1, 2], ['first', 'next', 'next']],
  ['begins anywhere', [77, 78], ['first', 'next']],
  ['some are missing', [5, 9, 10], ['first', 'gap 3', 'next']],
  ['wraps at 2^32', [0xfffffffe, 0xffffffff, 0, 1], ['first', 'next', 'wrap', 'next']],
  ['one is missing at the wrap', [0xffffffff, 1], ['first', 'gap 1']],
  ['starts again at 0', [500, 0, 1], ['first', 'restart', 'next']],
  ['starts again at 0 soon', [3, 0, 1], ['first', 'restart', 'next']],
  ['starts again elsewhere', [5000, 100, 101], ['first', 'restart', 'next']],
  ['comes twice', [4, 4, 5], ['first', 'duplicate', 'next']],
  ['steps back by one', [6, 5, 7], ['first', 'late', 'next']],
  ['is -1', [5, 0xffffffff, 6], ['first', 'late', 'next']],
  ['jumps', [5, 3_000_000, 3_000_001], ['first', 'restart', 'next']],
  ['is half the range away', [0, 0x80000000], ['first', 'restart']],
])('%s', (_name, numbers, expected) => {
  expect(steps(...numbers)).toEqual(expected)
})

test('a reset forgets the last number', () => {
  const sequence = new PhoneSequence()
  sequence.next(5)
  sequence.reset()
  expect(sequence.next(9)).toEqual({ kind: 'first' })
})
