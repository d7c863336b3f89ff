import { expect, test } from 'vitest'
import { PcmCanvas } from '../../../../shared/media/pcm-canvas.ts'

function canvas(range: { fromMs: number; toMs?: number }, stamps: readonly number[], samples = 320) {
  const made = new PcmCanvas({ rate: 8000, ...range })
  const placed = stamps.map((ms) => made.place(ms, samples))
  return { made, placed }
}

test('units follow each other sample by sample, whatever their stamps’ jitter', () => {
  const { made, placed } = canvas({ fromMs: 1000 }, [1000, 1041, 1079, 1121])
  expect(placed.map(({ silence }) => silence)).toEqual([0, 0, 0, 0])
  expect(made.sounding).toEqual([{ from: 0, to: 1280 }])
})

test('the line begins with the sound, and a gap is silence of its length', () => {
  const { made, placed } = canvas({ fromMs: 1000 }, [1137, 1177, 2177])
  expect(placed.map(({ silence }) => silence)).toEqual([0, 0, 7680])
  expect(made.sounding).toEqual([
    { from: 1096, to: 1736 },
    { from: 9416, to: 9736 },
  ])
})

test('what lies before the range or behind it is cut off to the sample', () => {
  const { made, placed } = canvas({ fromMs: 1000, toMs: 1070 }, [940, 980, 1020, 1060, 1100])
  expect(placed).toEqual([
    { silence: 0, skip: 0, samples: 0 },
    { silence: 0, skip: 160, samples: 160 },
    { silence: 0, skip: 0, samples: 320 },
    { silence: 0, skip: 0, samples: 80 },
    { silence: 0, skip: 0, samples: 0 },
  ])
  expect(made.sounding).toEqual([{ from: 0, to: 560 }])
})

test('stamps that go back: what would lie over sound that is there is left out', () => {
  const { placed } = canvas({ fromMs: 0 }, [0, 40, 20, 60])
  expect(placed.map(({ skip, samples }) => [skip, samples])).toEqual([
    [0, 320],
    [0, 320],
    [0, 0],
    [160, 160],
  ])
})

test('a clock that runs slowly away is followed in steps of one unit', () => {
  const stamps = Array.from({ length: 1000 }, (_, n) => Math.round(n * 40.1))
  const { made } = canvas({ fromMs: 0 }, stamps)
  const behindMs = (stamps.at(-1) ?? 0) + 40 - (made.sounding.at(-1)?.to ?? 0) / 8
  expect(Math.abs(behindMs)).toBeLessThan(40)
})
