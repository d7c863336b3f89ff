import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { writeAll } from '../../../../agent/play/write-all.ts'
import { idle } from '../../../support/fake-viewer.ts'

/** A socket whose kernel takes all at once, or when `take` is called. */
function socket(atOnce: boolean) {
  const calls: number[] = []
  let held: ((error?: Error | null) => void) | undefined
  const settle = (done: (error?: Error | null) => void) => {
    if (atOnce) done()
    else held = done
  }
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: Uint8Array, _encoding, done) => {
      calls.push(chunk.length)
      settle(done)
    },
    writev: (chunks, done) => {
      calls.push(chunks.reduce((sum, { chunk }) => sum + chunk.length, 0))
      settle(done)
    },
  })
  stream.on('error', () => undefined)
  const take = async (error?: Error) => {
    const done = held
    held = undefined
    done?.(error)
    await idle()
  }
  return { stream: stream as unknown as Parameters<typeof writeAll>[0], calls, take }
}
const bytes = (size: number) => new Uint8Array(size)

test('what the kernel takes at once needs no callback; all chunks are one call', async () => {
  const { stream, calls } = socket(true)
  const done = () => expect.unreachable()
  expect(writeAll(stream, [bytes(5)], done)).toBe(true)
  expect(writeAll(stream, [bytes(1), bytes(2), bytes(3)], done)).toBe(true)
  await idle()
  expect(calls).toEqual([5, 6])
})

test.each([[[bytes(5)]], [[bytes(1), bytes(4)]]])(
  'done comes when Node holds nothing any more',
  async (chunks) => {
    const { stream, take } = socket(false)
    const told: unknown[] = []
    expect(writeAll(stream, chunks, (error) => told.push(error ?? 'taken'))).toBe(false)
    await idle()
    expect(told).toEqual([])
    await take()
    await take()
    expect(told).toEqual(['taken'])
  },
)

test('a socket that fails, or has failed, says so', async () => {
  const { stream, take } = socket(false)
  const told: unknown[] = []
  const done = (error?: Error | null) => void told.push(error instanceof Error)
  expect(writeAll(stream, [bytes(5)], done)).toBe(false)
  await take(new Error('reset'))
  expect(writeAll(stream, [bytes(5)], done)).toBe(false)
  await idle()
  expect(told).toEqual([true, true])
})
