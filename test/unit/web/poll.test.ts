import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ApiError, signedOut } from '../../../web/http.ts'
import { createResource } from '../../../web/poll.ts'

// The page that the resource sees: only whether it is visible, and who listens for that.
const page = Object.assign(new EventTarget(), { hidden: false })

function show(visible: boolean): void {
  page.hidden = !visible
  page.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('document', page)
  page.hidden = false
  signedOut.value = false
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('loads at once and every 2 s while watched, and not after', async () => {
  const load = vi.fn(async () => 7)
  const resource = createResource(load)
  const leave = resource.watch()
  await vi.advanceTimersByTimeAsync(4100)
  expect(resource.value.value).toBe(7)
  expect(load).toHaveBeenCalledTimes(3)
  leave()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(load).toHaveBeenCalledTimes(3)
})

test('a hidden page asks nothing; one that is shown again asks at once', async () => {
  const load = vi.fn(async () => 7)
  const leave = createResource(load).watch()
  await vi.advanceTimersByTimeAsync(0)
  show(false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(load).toHaveBeenCalledTimes(1)
  show(true)
  await vi.advanceTimersByTimeAsync(0)
  expect(load).toHaveBeenCalledTimes(2)
  leave()
})

test('failures keep the last value and wait longer each time', async () => {
  const load = vi.fn<() => Promise<number>>().mockResolvedValueOnce(7)
  load.mockRejectedValue(new ApiError(503, 'down'))
  const resource = createResource(load)
  const leave = resource.watch()
  await vi.advanceTimersByTimeAsync(2000)
  expect(resource.value.value).toBe(7)
  expect(resource.error.value?.message).toBe('down')
  await vi.advanceTimersByTimeAsync(4000 + 8000)
  expect(load).toHaveBeenCalledTimes(4)
  await vi.advanceTimersByTimeAsync(15_000)
  expect(load).toHaveBeenCalledTimes(4)
  load.mockResolvedValue(8)
  await resource.refresh()
  expect(resource.value.value).toBe(8)
  expect(resource.error.value).toBeUndefined()
  leave()
})

test('an answer that was overtaken by a newer question is dropped', async () => {
  const answers = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
  let asked = 0
  const resource = createResource(() => {
    asked += 1
    return answers[asked - 1]?.promise ?? Promise.reject(new Error('asked too often'))
  })
  const first = resource.refresh()
  const second = resource.refresh()
  answers[1]?.resolve('new')
  await second
  answers[0]?.resolve('old')
  await first
  expect(resource.value.value).toBe('new')
})

test('a settled value is not asked for again', async () => {
  const load = vi.fn(async () => 'ready')
  const leave = createResource(load, (state) => state === 'ready').watch()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(load).toHaveBeenCalledTimes(1)
  leave()
})

test('nothing is asked while the page waits for a token', async () => {
  const load = vi.fn(async () => {
    signedOut.value = true
    throw new ApiError(401, 'this needs a token')
  })
  const leave = createResource(load).watch()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(load).toHaveBeenCalledTimes(1)
  leave()
})

test('what a token may not see is not asked for again and again', async () => {
  const load = vi.fn(async () => Promise.reject(new ApiError(403, 'not with this token')))
  const resource = createResource(load)
  const leave = resource.watch()
  await vi.advanceTimersByTimeAsync(120_000)
  expect(load).toHaveBeenCalledTimes(1)
  expect(resource.error.value?.status).toBe(403)
  leave()
})

test('a server that takes a question and never answers is said to be silent, and asked again', async () => {
  const load = vi.fn<(signal: AbortSignal) => Promise<number>>().mockResolvedValueOnce(7)
  load.mockImplementation(
    (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  )
  const resource = createResource(load)
  const leave = resource.watch()
  await vi.advanceTimersByTimeAsync(2000 + 9000)
  expect(resource.error.value).toBeUndefined()
  await vi.advanceTimersByTimeAsync(1500)
  expect(resource.error.value).toMatchObject({ status: 0, message: expect.stringMatching(/does not answer/) })
  expect(resource.value.value).toBe(7)
  await vi.advanceTimersByTimeAsync(4000)
  expect(load).toHaveBeenCalledTimes(3)
  leave()
})
