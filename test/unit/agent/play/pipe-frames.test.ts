import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PipeReader, pipeFrame } from '../../../../agent/play/pipe-frames.ts'
import { fakeUnit } from '../../../support/live-units.ts'

/** Cuts `bytes` at these places. */
function pieces(bytes: Uint8Array, cuts: number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

test('messages come out as they went in, whatever the split', () => {
  const message = fc.record({
    type: fc.constant('unit'),
    stream: fc.nat(),
    bytes: fc.uint8Array({ maxLength: 300 }),
  })
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (messages, cuts) => {
        const got: unknown[] = []
        const reader = new PipeReader((each) => got.push(each))
        const sent = Buffer.concat(messages.flatMap(pipeFrame))
        for (const piece of pieces(sent, cuts)) reader.push(piece)
        expect(got).toEqual(messages)
      },
    ),
  )
})

test('of a unit only its own bytes travel, not the buffer that they are a view of', () => {
  const whole = new Uint8Array(1_000_000)
  const unit = { ...fakeUnit({ key: true }), nalUnits: [whole.subarray(10, 110)] }
  const [, body] = pipeFrame({ type: 'unit', stream: 1, unit })
  expect(body.length).toBeLessThan(2000)
})
