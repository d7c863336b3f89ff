import { beforeEach, describe, expect, test } from 'vitest'
import { Pull, type PullOptions } from '../../../../agent/ingest/pull.ts'
import type { PulledSource, SourceOutput } from '../../../../agent/ingest/source.ts'
import { AppError } from '../../../../shared/error.ts'
import { fakeAudio, fakeUnit } from '../../../support/live-units.ts'
import { ManualClock, settle } from '../../../support/manual-clock.ts'

let clock: ManualClock
let log: string[]
let output: SourceOutput
let fail: (error: AppError) => void
let pull: Pull

function start(options: Partial<PullOptions> = {}): void {
  const source: PulledSource = {
    kind: 'fake',
    display: 'fake://***@x',
    connectOnce: ({ signal, output: given }) => {
      log.push(`connect at ${clock.monotonicMs() - 5000}`)
      output = given
      const { promise, reject } = Promise.withResolvers<void>()
      fail = reject
      signal.addEventListener('abort', () => reject(signal.reason))
      return promise
    },
  }
  pull = new Pull({
    ...{ source, clock, random: () => 1 },
    publish: () => ({
      push: ({ ptsMs }) => log.push(`unit ${ptsMs}`),
      gap: ({ fromMs, toMs, cause }) => log.push(`gap ${fromMs} ${toMs} ${cause}`),
      end: (reason) => log.push(`end: ${reason}`),
    }),
    ...options,
  })
}

beforeEach(() => {
  clock = new ManualClock()
  log = []
})

const gone = new AppError('Unavailable', 'gone')

describe('a source that is pulled', () => {
  test('is connecting until its first key frame, and published from its first unit', async () => {
    start()
    output.connected()
    expect(pull.status.state).toBe('connecting')
    output.unit(fakeUnit({ ms: 10 }))
    expect(pull.status.state).toBe('connecting')
    output.unit(fakeUnit({ ms: 20, key: true }))
    expect(pull.status).toMatchObject({ state: 'live', failures: 0 })
    await pull.stop()
    expect(log).toEqual(['connect at 0', 'unit 10', 'unit 20', 'end: not wanted'])
  })

  test('comes back after a pause that grows, and the time between is a gap', async () => {
    start()
    output.unit(fakeUnit({ ms: 10, key: true }))
    fail(gone)
    await clock.advance(999)
    expect(pull.status).toMatchObject({ state: 'offline', failures: 1, error: gone })
    await clock.advance(1)
    fail(gone)
    await clock.advance(2000)
    output.unit(fakeUnit({ ms: 3010, key: true }))
    expect(pull.status).not.toHaveProperty('error')
    expect(log).toEqual([
      ...['connect at 0', 'unit 10', 'end: gone', 'connect at 1000', 'connect at 3000'],
      ...['gap 10 3010 source-lost', 'unit 3010'],
    ])
    await pull.stop()
  })

  test('with a wrong password waits for a minute, whoever asks', async () => {
    start()
    fail(new AppError('Unauthenticated', 'no'))
    await settle()
    pull.wake()
    await clock.advance(60_999)
    expect(log).toEqual(['connect at 0'])
    await clock.advance(1)
    expect(log).toHaveLength(2)
    await pull.stop()
  })

  test('that failed otherwise is tried at once for somebody new', async () => {
    start()
    fail(gone)
    await settle()
    pull.wake()
    await settle()
    expect(log).toEqual(['connect at 0', 'connect at 0'])
    await pull.stop()
  })

  test.each([
    ['that says nothing', [], /connected but sent no pictures for 10 s/],
    [
      'whose pictures stop while its sound goes on',
      [fakeUnit({ key: true })],
      /connected but sent no pictures/,
    ],
  ])('%s is connected anew', async (_name, units, words) => {
    start()
    output.connected()
    for (const unit of units) output.unit(unit)
    for (let s = 0; s < 12 && !pull.status.error; s += 1) {
      if (units.length > 0) output.unit(fakeUnit({ config: fakeAudio }))
      await clock.advance(1000)
    }
    expect(pull.status.error?.message ?? '').toMatch(words)
    await pull.stop()
  })

  test('that gives no key frame is told from one that gives nothing', async () => {
    start()
    output.connected()
    for (let s = 0; s < 16 && !pull.status.error; s += 1) {
      output.unit(fakeUnit())
      await clock.advance(1000)
    }
    expect(pull.status.error).toMatchObject({ kind: 'DeadlineExceeded' })
    await pull.stop()
  })

  test('whose name another has is offline, and says so', async () => {
    const taken = new AppError('AlreadyExists', 'the name is taken')
    start({
      publish: () => {
        throw taken
      },
    })
    output.unit(fakeUnit({ key: true }))
    output.unit(fakeUnit())
    await settle()
    expect(pull.status.error).toBe(taken)
    await pull.stop()
  })
})
