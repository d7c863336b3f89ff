import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PhonePictures } from '../../../../agent/ingest/phone-pictures.ts'
import type { AccessUnit, SourceGap } from '../../../../shared/media/access-unit.ts'
import { splitAccessUnits } from '../../../../shared/media/access-unit-parser.ts'
import { parameterSets, picture } from '../../../support/fake-phone.ts'
import { sharedPath } from '../../../support/shared-data.ts'

const wallMs = Date.UTC(2026, 10, 20, 5, 30)
const bootMs = 7_000_000 // The phone has been on for two hours.

type Sent = { n: number; seq?: number; deviceMs?: number; payload?: Uint8Array; atMs?: number }

/** Sends pictures 40 ms apart, each 30 ms on its way. */
function film(sent: Sent[], pictures = new PhonePictures({ wallMs, monotonicMs: 1000 })) {
  const units: AccessUnit[] = []
  const log: string[] = []
  const gaps: SourceGap[] = []
  for (const { n, seq = n, deviceMs = bootMs + n * 40, payload = picture(n), atMs = n * 40 + 30 } of sent) {
    const at = { monotonicMs: 1000 + atMs, wallMs: wallMs + atMs }
    const taken = pictures.take({ deviceMs, sequence: seq, payload }, at)
    gaps.push(...taken.gaps)
    for (const gap of taken.gaps) log.push(`gap ${gap.cause} ${gap.units}`)
    if (taken.refused) log.push(`refused ${taken.refused}`)
    if (taken.unit) {
      units.push(taken.unit)
      log.push(`unit ${n}`)
    }
  }
  return { units, gaps, log, pictures }
}

const run = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => ({ n: from + i }))

test('each picture becomes one unit with the spacing of the device, anchored at its arrival', () => {
  const { units } = film(run(0, 12))
  expect(units.map(({ ptsMs }) => ptsMs)).toEqual(run(0, 12).map(({ n }) => wallMs + 30 + n * 40))
  expect(units.map(({ dtsMs }) => dtsMs)).toEqual(units.map(({ ptsMs }) => ptsMs))
  expect(units.map(({ randomAccess }) => randomAccess).indexOf(true, 1)).toBe(10)
  expect(units[3]).toMatchObject({ track: 'video', epoch: 0, timeSource: 'device', arrivalMs: 1000 + 150 })
  expect(new Set(units.map(({ config }) => config)).size).toBe(1)
})

test('parameter sets alone are no picture, and their time 0 is not used', () => {
  const alone = { n: -1, seq: 0, deviceMs: 0, payload: parameterSets, atMs: 0 }
  const { units, log } = film([alone, { n: 0, payload: picture(0, { sets: false }) }, ...run(1, 4)])
  expect(log).toEqual(['unit 0', 'unit 1', 'unit 2', 'unit 3'])
  expect(units.every(({ epoch }) => epoch === 0)).toBe(true)
})

test.each([
  ['numbered like pictures', [{ n: 0 }, { n: 1, payload: parameterSets }, { n: 2 }]],
  ['numbered like pictures, after a loss', [{ n: 0 }, { n: 5, payload: parameterSets }, { n: 6 }]],
  ['not numbered', [{ n: 0 }, { n: 1, seq: 0, payload: parameterSets }, { n: 2, seq: 1 }]],
])('parameter sets %s leave no gap of their own', (name, sent) => {
  const { log } = film(sent)
  expect(log.filter((line) => line.startsWith('gap'))).toEqual(
    name.includes('loss') ? ['gap sequence 4'] : [],
  )
})

test('a picture before any parameter sets is refused, and the first that can be read tells of it', () => {
  const early = { n: 0, payload: picture(0, { sets: false }) }
  expect(film([early, ...run(10, 12).map(({ n }) => ({ n, seq: n - 9 }))]).log).toEqual([
    'refused no-parameter-sets',
    'gap bad-packet 1',
    'unit 10',
    'unit 11',
  ])
})

test.each<[string, Sent[], string[]]>([
  ['numbers that are missing', [{ n: 0 }, { n: 4 }], ['unit 0', 'gap sequence 3', 'unit 4']],
  [
    'numbers around 2^32',
    [
      { n: 0, seq: 0xffffffff },
      { n: 1, seq: 0 },
    ],
    ['unit 0', 'unit 1'],
  ],
  [
    'numbers that start again',
    [
      { n: 0, seq: 50 },
      { n: 1, seq: 0 },
    ],
    ['unit 0', 'unit 1'],
  ],
  ['a number twice with another picture', [{ n: 0 }, { n: 1, seq: 0 }], ['unit 0', 'unit 1']],
  ['a picture twice', [{ n: 0 }, { n: 0 }, { n: 1 }], ['unit 0', 'refused duplicate', 'unit 1']],
  [
    'no start code',
    [{ n: 0 }, { n: 1, payload: Uint8Array.of(9, 9) }, { n: 2 }],
    ['unit 0', 'refused bad-picture', 'gap bad-packet 1', 'unit 2'],
  ],
])('%s', (_name, sent, expected) => {
  expect(film(sent).log).toEqual(expected)
})

test('packets that could not be read and numbers that are missing are told apart', () => {
  const { pictures } = film(run(0, 2))
  pictures.missed()
  const { log, gaps } = film([{ n: 5 }], pictures)
  expect(log).toEqual(['gap bad-packet 1', 'gap sequence 2', 'unit 5'])
  expect(gaps[0]).toEqual({ fromMs: wallMs + 70, toMs: wallMs + 230, cause: 'bad-packet', units: 1 })
})

test('bytes that only stood between good pictures are no gap', () => {
  const { pictures } = film(run(0, 2))
  pictures.missed()
  expect(film([{ n: 2 }], pictures).log).toEqual(['unit 2'])
})

test('a connection that was lost is one gap, with the number of pictures where the numbers tell it', () => {
  const { pictures } = film(run(0, 3))
  pictures.interrupt()
  expect(film([{ n: 10 }], pictures).log).toEqual(['gap source-lost 7', 'unit 10'])
  pictures.interrupt()
  expect(film([{ n: 20, seq: 0 }], pictures).log).toEqual(['gap source-lost undefined', 'unit 20'])
})

test('a new capture owes nothing to the last one', () => {
  const { pictures } = film(run(0, 3))
  pictures.interrupt()
  pictures.missed()
  pictures.begin()
  expect(film([{ n: 300, seq: 0 }], pictures).log).toEqual(['unit 300'])
})

test('a phone that is turned says so in the configuration from the next GOP on', () => {
  const { pictures, units: before } = film(run(0, 4))
  pictures.rotation = 90
  const { units } = film(run(4, 12), pictures)
  expect(units.map(({ config }) => config.track === 'video' && config.rotation)).toEqual([
    0, 0, 0, 0, 0, 0, 90, 90,
  ])
  expect(units[0]?.config).toBe(before[0]?.config)
  expect(units[7]?.config).toBe(units[6]?.config)
})

test('a phone that was turned before its first picture', () => {
  const pictures = new PhonePictures({ wallMs, monotonicMs: 1000 })
  pictures.rotation = 270
  expect(film(run(0, 2), pictures).units[0]?.config).toMatchObject({ rotation: 270 })
})

test('clocks that step, stand still or lie begin an epoch or give way to arrival, and never end anything', () => {
  const back = film([...run(0, 20), ...run(20, 40).map(({ n }) => ({ n, deviceMs: 1000 + n * 40 }))])
  expect(back.units).toHaveLength(40)
  expect(back.units.at(-1)).toMatchObject({ epoch: 1, timeSource: 'device' })
  const frozen = film(run(0, 200).map(({ n }) => ({ n, deviceMs: 5 })))
  expect(frozen.units).toHaveLength(200)
  expect(frozen.units.at(-1)?.timeSource).toBe('arrival')
  const absurd = film(run(0, 40).map(({ n }) => ({ n, deviceMs: Number.MAX_SAFE_INTEGER - (n % 7) * 1e12 })))
  expect(absurd.units).toHaveLength(40)
  for (const { units } of [back, frozen, absurd]) {
    const times = units.map(({ dtsMs }) => dtsMs)
    expect(times.toSorted((a, b) => a - b)).toEqual(times)
  }
})

const folder = sharedPath('h264') ?? sharedPath('data', 'h264')
const files = folder ? readdirSync(folder).filter((file) => /\.(264|h264|jsv)$/.test(file)) : []

test.skipIf(files.length === 0).each(files)(
  'every picture of %s becomes a unit (skipped without ../shared/data)',
  (file) => {
    const pieces = splitAccessUnits(readFileSync(`${folder}/${file}`), 'h264')
    const { log, units } = film(pieces.map((payload, n) => ({ n, payload })))
    expect(pieces.length).toBeGreaterThan(5)
    expect(log.filter((line) => line.startsWith('unit'))).toHaveLength(pieces.length)
    expect(units.every(({ dtsMs, ptsMs }) => dtsMs <= ptsMs)).toBe(true)
  },
)
