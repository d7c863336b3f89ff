import { expect, test } from 'vitest'
import { align } from '../../../../../cloud/jobs/beatsync/align.ts'
import {
  broken,
  chance,
  clipped,
  drifting,
  inRoom,
  joined,
  narrow,
  noisy,
  part,
  silence,
  song,
} from '../../../../support/songs.ts'

const bgm = song(1, 40)
const quiet = (seconds: number) =>
  silence(seconds)
    .map(chance(5))
    .map((value) => value * 0.01)
const talk = (seconds: number) => narrow(song(99, seconds)).map((value) => value * 3)

const cases: [string, Float32Array, Float32Array, number][] = [
  ['music from the beginning', joined(quiet(3), part(bgm, 0, 17)), bgm, 3000],
  ['a video filmed from inside the song', part(bgm, 12.34, 32), bgm, -12_340],
  ['a BGM shorter than the video', joined(quiet(4.5), part(bgm, 5, 17), quiet(6)), part(bgm, 5, 17), 4500],
  ['a video shorter than the BGM, over its end', joined(part(bgm, 30, 40), quiet(5)), bgm, -30_000],
  ['talk before the music', joined(talk(8), part(bgm, 0, 12)), bgm, 8000],
  ['drop-outs', joined(quiet(2), broken(part(bgm, 0, 18), 2, 0.8)), bgm, 2000],
  ['noise twice as strong', noisy(joined(silence(2), part(bgm, 0, 18)), -6), bgm, 2000],
  ['a room', inRoom(joined(silence(2), part(bgm, 0, 18))), bgm, 2000],
  ['a telephone', narrow(joined(silence(2), part(bgm, 0, 18))), bgm, 2000],
  ['clipped', clipped(joined(silence(2), part(bgm, 0, 18))), bgm, 2000],
  ['upside down', joined(silence(2), part(bgm, 0, 18)).map((value) => -value), bgm, 2000],
  ['all of it', noisy(clipped(narrow(inRoom(joined(silence(2), part(bgm, 0, 18))))), 3), bgm, 2000],
  ['one second', part(bgm, 20, 21), bgm, -20_000],
]

test.each(cases)('%s: within 1 ms', (_name, dance, music, offsetMs) => {
  const found = align(dance, music)
  expect(found).not.toHaveProperty('refused')
  expect(Math.abs(('offsetMs' in found ? found.offsetMs : Number.NaN) - offsetMs)).toBeLessThan(1)
})

test.each([20, 200, -200, 400])('a clock that runs %i ppm fast: told and allowed for', (ppm) => {
  const found = align(noisy(joined(silence(3), drifting(bgm, ppm)), 6), bgm)
  if ('refused' in found) throw new Error(found.refused)
  expect(Math.abs(found.offsetMs - 3000)).toBeLessThan(1)
  expect(Math.abs(found.driftPpm + ppm)).toBeLessThan(5)
})

test('another song is refused, with the two best places', () => {
  const found = align(noisy(song(2, 20, 1.03), 0), bgm)
  expect(found).toHaveProperty('refused')
  expect('candidates' in found && found.candidates).toHaveLength(2)
})

test.each([2, 3, 4, 5])('another song of the very same notes and beat is refused too (%i)', (seed) => {
  expect(align(song(seed, 15), bgm)).toHaveProperty('refused')
})

test.each([
  ['silence', silence(10)],
  ['noise', noisy(song(2, 10), -40)],
  ['a tone', silence(10).map((_, i) => Math.sin(i / 3))],
])('%s is no song', (_name, dance) => {
  expect(align(dance, bgm)).toMatchObject({ refused: 'not_same_song' })
  expect(align(dance, new Float32Array())).toMatchObject({ refused: 'not_same_song' })
  expect(align(new Float32Array(1), dance)).toMatchObject({ refused: 'not_same_song' })
})

const chorus = part(bgm, 0, 10)
const verse = part(bgm, 10, 20)
const repeated = joined(chorus, verse, chorus, part(bgm, 20, 30))

test('a chorus that comes twice: not sure, and both places are told', () => {
  const found = align(noisy(joined(silence(1), chorus), 10), repeated)
  expect(found).toMatchObject({ refused: 'unsure' })
  const offsets = 'candidates' in found ? found.candidates.map(({ offsetMs }) => Math.round(offsetMs)) : []
  expect(offsets.sort((a, b) => a - b)).toEqual([-19_000, 1000])
})

test('what follows the chorus decides', () => {
  const found = align(noisy(joined(silence(1), chorus, part(bgm, 20, 25)), 10), repeated)
  expect(found).not.toHaveProperty('refused')
  expect(Math.round('offsetMs' in found ? found.offsetMs : 0)).toBe(-19_000)
})
