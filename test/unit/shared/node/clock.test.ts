import { expect, test } from 'vitest'
import { steadyClock } from '../../../../shared/node/clock.ts'

function rig() {
  const state = { wall: 1_000_000, monotonic: 500, busy: false, steps: [] as number[] }
  const system = { nowMs: () => state.wall, monotonicMs: () => state.monotonic, sleep: async () => {} }
  const clock = steadyClock(
    system,
    () => !state.busy,
    (stepMs) => state.steps.push(stepMs),
  )
  const pass = (ms: number) => {
    state.wall += ms
    state.monotonic += ms
  }
  return { state, clock, pass }
}

test('runs with the system', () => {
  const { clock, pass, state } = rig()
  pass(1234)
  expect(clock.nowMs()).toBe(1_001_234)
  expect(state.steps).toEqual([])
})

test('follows a step ahead at once', () => {
  const { clock, pass, state } = rig()
  state.busy = true
  state.wall += 3_600_000
  pass(10)
  expect(clock.nowMs()).toBe(4_600_010)
  expect(state.steps).toEqual([3_600_000])
})

test('a step back waits until nothing is going on', () => {
  const { clock, pass, state } = rig()
  state.busy = true
  state.wall -= 3_600_000
  pass(1000)
  expect(clock.nowMs()).toBe(1_001_000)
  state.busy = false
  expect(clock.nowMs()).toBe(1_001_000 - 3_600_000)
  expect(state.steps).toEqual([-3_600_000])
})

test('is never before what goes on, and then waits for the system to come along', () => {
  const { clock, pass, state } = rig()
  clock.advanceTo(1_500_000)
  state.busy = true
  pass(1000)
  expect(clock.nowMs()).toBe(1_501_000)
  clock.advanceTo(1_400_000)
  expect(clock.nowMs()).toBe(1_501_000)
})
