import { describe, expect, test } from 'vitest'
import type { Queue } from '../../cloud/ports.ts'
import { implementations } from './implementations.ts'

const visibilityS = 30

async function receiveOne(queue: Queue) {
  const [message] = await queue.receive('mux', { max: 1, visibilityS })
  if (!message) throw new Error('no message')
  return message
}

describe.each(implementations)('queue, $name', ({ open }) => {
  test('hands a message to one at a time, until it is removed', async () => {
    await using it = await open()
    await it.queue.send('mux', 'one')
    const message = await receiveOne(it.queue)
    expect(message).toMatchObject({ body: 'one', receiveCount: 1 })
    expect(await it.queue.receive('mux', { max: 10, visibilityS })).toEqual([])
    expect(await it.queue.receive('export', { max: 10, visibilityS })).toEqual([])
    expect(await it.queue.depth('mux')).toEqual({ waiting: 0, inFlight: 1, dead: 0 })
    await it.queue.remove('mux', message.receipt)
    expect(await it.queue.depth('mux')).toEqual({ waiting: 0, inFlight: 0, dead: 0 })
  })

  test('moves a message to the dead letters and back', async () => {
    await using it = await open()
    await it.queue.send('mux', 'poison')
    const { receipt, body } = await receiveOne(it.queue)
    await it.queue.bury('mux', receipt, body)
    const { messages } = await it.queue.deadLetters('mux')
    expect(messages).toMatchObject([{ body: 'poison' }])
    await it.queue.redrive('mux', messages[0]?.id ?? '')
    expect((await it.queue.deadLetters('mux')).messages).toEqual([])
    expect((await receiveOne(it.queue)).body).toBe('poison')
    await expect(it.queue.redrive('mux', messages[0]?.id ?? '')).rejects.toMatchObject({ kind: 'NotFound' })
  })

  test('refuses a body over 256 KB and a delay over 15 minutes', async () => {
    await using it = await open()
    await expect(it.queue.send('mux', 'x'.repeat(262_145))).rejects.toMatchObject({ kind: 'InvalidArgument' })
    await expect(it.queue.send('mux', 'x', { delayS: 901 })).rejects.toMatchObject({
      kind: 'InvalidArgument',
    })
  })

  test('gives a message again when its time is over, with a new receipt', async () => {
    await using it = await open()
    await it.queue.send('mux', 'one')
    const [first] = await it.queue.receive('mux', { max: 1, visibilityS: 2 })
    await it.wait(1000)
    await it.queue.extend('mux', first?.receipt ?? '', 3)
    await it.wait(2000)
    expect(await it.queue.receive('mux', { max: 1, visibilityS })).toEqual([])
    await it.wait(1500)
    const second = await receiveOne(it.queue)
    expect(second).toMatchObject({ body: 'one', receiveCount: 2 })
    expect(second.receipt).not.toBe(first?.receipt)
    await it.queue.remove('mux', second.receipt)
    expect(await it.queue.depth('mux')).toMatchObject({ waiting: 0, inFlight: 0 })
    await it.queue.extend('mux', second.receipt, 1) // What is gone stays gone, and is no error.
    await it.queue.remove('mux', second.receipt)
  })

  test('holds a delayed message back', async () => {
    await using it = await open()
    await it.queue.send('mux', 'later', { delayS: 2 })
    expect(await it.queue.receive('mux', { max: 1, visibilityS })).toEqual([])
    expect(await it.queue.depth('mux')).toMatchObject({ waiting: 1 })
    await it.wait(2500)
    expect((await receiveOne(it.queue)).body).toBe('later')
  })

  test('gives up after ten receives', async () => {
    await using it = await open()
    await it.queue.send('mux', 'poison')
    for (let n = 1; n <= 10; n += 1) {
      const [message] = await it.queue.receive('mux', { max: 1, visibilityS: 0 })
      expect(message?.receiveCount).toBe(n)
    }
    expect(await it.queue.receive('mux', { max: 1, visibilityS })).toEqual([])
    expect((await it.queue.deadLetters('mux')).messages).toMatchObject([{ body: 'poison' }])
  })

  test('lists dead letters again and again, and redrives the one that is meant', async () => {
    await using it = await open()
    for (const body of ['a', 'b', 'c']) {
      await it.queue.send('export', body)
      const [message] = await it.queue.receive('export', { max: 1, visibilityS })
      await it.queue.bury('export', message?.receipt ?? '', body)
    }
    const listed = async () =>
      (await it.queue.deadLetters('export')).messages.map(({ body }) => body).toSorted()
    expect(await listed()).toEqual(['a', 'b', 'c'])
    expect(await it.queue.depth('export')).toEqual({ waiting: 0, inFlight: 0, dead: 3 })
    const b = (await it.queue.deadLetters('export')).messages.find(({ body }) => body === 'b')
    await it.queue.redrive('export', b?.id ?? '')
    expect(await listed()).toEqual(['a', 'c'])
    expect(await it.queue.depth('export')).toEqual({ waiting: 1, inFlight: 0, dead: 2 })
  })
})
