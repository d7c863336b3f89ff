import { expect, test } from 'vitest'
import { type CommandEvent, CommandQueue } from '../../../../agent/ingest/vehicle-command-queue.ts'
import { AppError } from '../../../../shared/error.ts'
import { commandExpiryMs, commandQueueMax } from '../../../../shared/vehicle-limits.ts'
import { ManualClock, settle } from '../../../support/manual-clock.ts'

const command = (n: number) => ({ channel: 'a', id: '9101' as const, json: String(n) })

function rig(answer: (json: string) => AppError | undefined = () => undefined) {
  const clock = new ManualClock()
  const sent: string[] = []
  const events: string[] = []
  const state = { answer, closed: 0 }
  const queue = new CommandQueue({
    clock,
    random: () => 1,
    onEvent: (event: CommandEvent) => events.push(event.type),
    sink: {
      display: 'fake',
      send: async ({ json }) => {
        const error = state.answer(json)
        if (error) throw error
        sent.push(json)
      },
      [Symbol.asyncDispose]: async () => {
        state.closed += 1
      },
    },
  })
  return { clock, sent, events, queue, state }
}

const away = new AppError('Unavailable', 'away')

test('keeps the order, also when the platform is away for a while, and says both once', async () => {
  const { clock, sent, events, queue, state } = rig(() => away)
  const pushed = [1, 2, 3].map((n) => queue.push(command(n)))
  await clock.advance(60_000)
  expect(pushed.map(({ waiting }) => waiting)).toEqual([true, true, true])
  expect(queue.figures).toMatchObject({ queued: 3, sent: 0, error: 'away' })
  state.answer = () => undefined
  await clock.advance(6000)
  expect(sent).toEqual(['1', '2', '3'])
  expect(events).toEqual(['away', 'back', 'sent', 'sent', 'sent'])
  expect(queue.figures).toEqual({ queued: 0, sent: 3, failed: 0, expired: 0, dropped: 0 })
  expect(pushed.every(({ waiting }) => !waiting)).toBe(true)
})

test('what is too old is not said any more', async () => {
  const { clock, sent, queue, state } = rig(() => away)
  queue.push(command(1))
  await clock.advance(commandExpiryMs - 10_000)
  queue.push(command(2))
  await clock.advance(20_000)
  expect(queue.figures).toMatchObject({ expired: 1, queued: 1 })
  state.answer = () => undefined
  await clock.advance(6000)
  expect(sent).toEqual(['2'])
})

test('the end of something is said however late, once for each channel', async () => {
  const { clock, sent, queue, state } = rig(() => away)
  const close = (channel: string) => ({
    channel,
    id: '9102' as const,
    json: `close ${channel}`,
    lasting: true as const,
  })
  queue.push(command(0))
  for (let n = 1; n <= 3; n += 1) {
    queue.push(close('a'))
    queue.push(command(n))
    queue.push(close('b'))
  }
  expect(queue.figures.queued).toBe(6)
  await clock.advance(10 * commandExpiryMs)
  state.answer = () => undefined
  await clock.advance(6000)
  expect(sent).toEqual(['close a', 'close b'])
  expect(queue.figures).toMatchObject({ sent: 2, expired: 4, queued: 0, dropped: 0 })
})

test('is bounded: the oldest go, and are counted', async () => {
  const { clock, queue } = rig(() => away)
  for (let n = 0; n < commandQueueMax + 10; n += 1) queue.push(command(n))
  await clock.advance(1000)
  expect(queue.figures).toMatchObject({ queued: commandQueueMax, dropped: 10 })
})

test('what is refused for good does not stop the others', async () => {
  const { sent, events, queue } = rig((json) =>
    json === '1' ? new AppError('FailedPrecondition', 'no') : undefined,
  )
  queue.push(command(1))
  queue.push(command(2))
  await settle()
  expect(sent).toEqual(['2'])
  expect(events).toEqual(['failed', 'sent'])
})

test('a stop hands over what it can and then lets go', async () => {
  const { clock, queue, state } = rig(() => away)
  queue.push(command(1))
  const closed = queue[Symbol.asyncDispose]()
  await clock.advance(3000)
  await closed
  expect(state.closed).toBe(1)
})
