import { expect, test } from 'vitest'
import { FlushTimer, type Schedule } from '../../../../agent/play/flush-timer.ts'

function rig() {
  const asked: { delayMs: number; run(): void; cancelled: boolean }[] = []
  const schedule: Schedule = (flush, delayMs) => {
    const each = { delayMs, run: flush, cancelled: false }
    asked.push(each)
    return () => {
      each.cancelled = true
    }
  }
  let flushes = 0
  const timer = new FlushTimer(schedule, () => {
    flushes += 1
  })
  return { timer, flushes: () => flushes, asked, shown: () => asked.map((a) => [a.delayMs, a.cancelled]) }
}

test('what may wait longer goes with what goes first', () => {
  const { timer, asked, shown, flushes } = rig()
  timer.within(0)
  timer.within(0)
  timer.within(40)
  expect(shown()).toEqual([[0, false]])
  asked[0]?.run()
  expect(flushes()).toBe(1)
})

test('what may not wait takes the rest with it, and the longer wait is called off', () => {
  const { timer, shown } = rig()
  timer.within(40)
  timer.within(0)
  expect(shown()).toEqual([
    [40, true],
    [0, false],
  ])
})

test('after a flush it begins anew; after disposal nothing comes', () => {
  const { timer, asked, shown } = rig()
  timer.within(40)
  asked[0]?.run()
  timer.within(40)
  timer[Symbol.dispose]()
  timer[Symbol.dispose]()
  expect(shown()).toEqual([
    [40, false],
    [40, true],
  ])
})
