import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AppError } from '../../shared/error.ts'
import { type Amf0Value, decodeAmf0, encodeAmf0 } from '../../shared/media/amf0.ts'

const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
const { value } = fc.letrec<{ value: Amf0Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.double(),
    fc.boolean(),
    fc.string({ unit: 'grapheme' }),
    fc.constant(null),
    fc.constant(undefined),
    fc.date({ noInvalidDate: true }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: false }) as fc.Arbitrary<Amf0Value>,
  ),
}))

test('any bytes: values, or InvalidArgument', () => {
  const marker = fc.constantFrom(0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 16)
  const likely = fc.array(fc.oneof(marker, fc.constant(0), fc.nat(255)), { maxLength: 200 })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), likely), (bytes) => {
      try {
        decodeAmf0(Uint8Array.from(bytes))
      } catch (error) {
        expect(error).toBeInstanceOf(AppError)
        expect(error).toMatchObject({ kind: 'InvalidArgument' })
      }
    }),
    { numRuns: 5000 },
  )
})

test('values → bytes → values', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 4 }), (values) => {
      expect(decodeAmf0(encodeAmf0(...values))).toEqual(values)
    }),
    { numRuns: 1000 },
  )
})
