import { afterEach, expect, test, vi } from 'vitest'
import { findRecording, onTheirWay } from '../../../web/archive/on-its-way.ts'
import { recordings } from '../../../web/model.ts'
import { openRecording } from '../../support/page-data.ts'

const none: ReadonlySet<string> = new Set()

test('what goes on is shown, newest first, until the archive has it', () => {
  const known = [openRecording(1000, 'a', ['gate'], 'Take 1'), openRecording(2000, 'b', ['gate', 'door'])]
  const shown = onTheirWay(known, none)
  expect(shown.map(({ id, state, streams }) => [id, state, streams])).toEqual([
    ['b', 'open', ['gate', 'door']],
    ['a', 'open', ['gate']],
  ])
  expect(shown[1]).toMatchObject({ title: 'Take 1', to: null, hold: false })
  expect(onTheirWay(known, new Set(['a', 'b']))).toEqual([])
  expect(onTheirWay(known, none)).toEqual([]) // It was there, and was deleted.
})

test('one that has just ended is on its way; one that ended long ago is not there any more', () => {
  const ended = (to: number) => [{ ...openRecording(1000, 'c', ['gate']), state: 'closed' as const, to }]
  expect(onTheirWay(ended(Date.now()), none).map(({ state }) => state)).toEqual(['processing'])
  expect(onTheirWay(ended(Date.now() - 60_000), none)).toEqual([])
})

// A 404 that everyone meets who stops a recording would teach people to look away from the console.
test.each([
  ['goes on', null, []],
  ['has just ended, and is on its way', 2000, ['/v1/recordings?limit=24&from=1000&to=1001']],
])('the archive is not asked for a recording that %s', async (_, ago, expected) => {
  const to = ago === null ? null : Date.now() - ago
  const mine = { ...openRecording(1000, 'd', ['gate']), ...(to !== null && { state: 'closed', to }) }
  const asked: string[] = []
  vi.stubGlobal('fetch', async (path: string) => {
    if (path.startsWith('/v1/')) asked.push(path)
    return Response.json({ recordings: path.startsWith('/v1/') ? [] : [mine] })
  })
  await recordings.refresh()
  const { isThere, recording } = await findRecording('d', new AbortController().signal)
  expect([isThere, recording.id, asked]).toEqual([false, 'd', expected])
})
afterEach(() => void vi.unstubAllGlobals())
