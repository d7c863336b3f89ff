import { expect, test } from 'vitest'
import { onTheirWay } from '../../../web/archive/on-its-way.ts'
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
})

test('one that has just ended is on its way; one that ended long ago is not there any more', () => {
  const ended = (to: number) => [{ ...openRecording(1000, 'a', ['gate']), state: 'closed' as const, to }]
  expect(onTheirWay(ended(Date.now()), none).map(({ state }) => state)).toEqual(['processing'])
  expect(onTheirWay(ended(Date.now() - 60_000), none)).toEqual([])
})
