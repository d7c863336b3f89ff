import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Arena } from '../../../../agent/ring/arena.ts'
import { ringChunkBytes } from '../../../../shared/limits.ts'

type Written = { into: Uint8Array; value: number }

test('memory of a message that is under way is never written again', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('unit' as const), sizeBytes: fc.integer({ min: 1, max: ringChunkBytes }) }),
    fc.record({ kind: fc.constantFrom('send' as const, 'release' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const arena = new Arena()
      const sent: Written[][] = []
      let filling: Written[] = []
      let value = 0
      for (const now of steps) {
        if (now.kind === 'unit') {
          value = (value % 255) + 1
          const { into } = arena.reserve(now.sizeBytes)
          into.fill(value)
          filling.push({ into, value })
        } else if (now.kind === 'send') {
          arena.send()
          sent.push(filling)
          filling = []
        } else if (sent.shift()) arena.release()
        for (const { into, value: own } of [...sent.flat(), ...filling]) {
          expect([into[0], into.at(-1)]).toEqual([own, own])
        }
      }
    }),
  )
})

test('the place of a unit names its chunk in the message', () => {
  const arena = new Arena()
  const small = arena.reserve(10)
  const large = arena.reserve(ringChunkBytes + 1)
  const next = arena.reserve(10)
  const chunks = arena.send()

  expect([small.chunk, large.chunk, next.chunk]).toEqual([0, 1, 0])
  expect(chunks.map(({ byteLength }) => byteLength)).toEqual([ringChunkBytes, ringChunkBytes + 1])
  expect(next.into.byteOffset).toBe(10)
  expect(next.into.buffer).toBe(chunks[0])
})

test('memory that was written is used again', () => {
  const arena = new Arena()
  const buffers = new Set<unknown>()
  for (let i = 0; i < 100; i += 1) {
    buffers.add(arena.reserve(ringChunkBytes / 2 + 1).into.buffer)
    arena.send()
    if (i > 0) arena.release()
  }

  expect(buffers.size).toBeLessThan(4)
})
