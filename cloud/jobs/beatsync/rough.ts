import { correlate, Fft, powerOfTwo } from './fft.ts'

/** How far the clocks of a camera and of the music may differ; quartz stays within 100 ppm, a bad sound card within 300. */
export const driftMax = 500e-6
const smearedBy = 200e-6 // More drift than this loses a little of the energy, less picks up a little noise.
const overlapMinS = 3 // Or half of the shorter one. What overlaps less cannot be told from chance.
const apartS = 0.05 // Nearer than this it is the same place, heard by way of a wall.
const highShare = 0.5 // Of the best: a place below it would be no rival.
const wideShare = 0.4 // An energy, in which a rival of 0.6 has this much.
const placesEach = 3

type Value = { lag: number; strength: number }

/** Two whitened signals and the transform that holds both. */
export type Pair = { dance: Float32Array; bgm: Float32Array; rate: number; fft: Fft }

export function pairOf(dance: Float32Array, bgm: Float32Array, rate: number): Pair {
  return { dance, bgm, rate, fft: new Fft(powerOfTwo(dance.length + bgm.length)) }
}

/** The lags, in samples of dance time, at which the music of `bgm` may begin: the highest values of the correlation. */
export function highLags(pair: Pair): number[] {
  const { first, energy, apart } = searched(pair, pair.dance)
  return worthwhile(highest(energy, apart), highShare ** 2).map(({ lag }) => lag + first)
}

/**
 * Those where the clocks differ: the places of most energy within as many lags as the drift smears a peak over. There
 * the values of a band without a 0 Hz cancel each other, unless the signs of the seconds are shuffled.
 */
export function wideLags(pair: Pair): number[] {
  const { first, energy, apart, shorter } = searched(pair, shuffled(pair.dance, pair.rate))
  const smear = Math.ceil(smearedBy * shorter)
  const wide = highest(smoothed(energy, smear), Math.max(apart, smear))
  return worthwhile(wide, wideShare).map(({ lag }) => lag + first)
}

function searched({ bgm, rate, fft }: Pair, dance: Float32Array) {
  const shorter = Math.min(dance.length, bgm.length)
  const overlapMin = Math.ceil(Math.min(overlapMinS * rate, shorter / 2))
  const lags = { first: overlapMin - bgm.length, end: dance.length - overlapMin }
  return {
    first: lags.first,
    energy: energies(fft, dance, bgm, lags),
    apart: Math.ceil(apartS * rate),
    shorter,
  }
}

/** Each second keeps or changes its sign, by a fixed sequence of chance (Park and Miller). */
function shuffled(samples: Float32Array, rate: number): Float32Array {
  let seed = 1
  let sign = 1
  return samples.map((value, i) => {
    if (i % rate === 0) {
      seed = (seed * 48_271) % 0x7fffffff
      sign = seed & 1024 ? 1 : -1
    }
    return value * sign
  })
}

/** Of each lag from `first` to `end`: the square of the correlation, 1 on average. */
function energies(
  fft: Fft,
  dance: Float32Array,
  bgm: Float32Array,
  { first, end }: { first: number; end: number },
): Float32Array {
  const lag = correlate(fft, dance, bgm)
  const values = new Float32Array(Math.max(0, end - first))
  let sum = 0
  for (let i = 0; i < values.length; i += 1) {
    const k = first + i
    const overlap = Math.min(dance.length, k + bgm.length) - Math.max(0, k)
    const value = lag(k) ** 2 / overlap
    values[i] = value
    sum += value
  }
  const mean = sum / Math.max(1, values.length)
  return mean === 0 ? values : values.map((value) => value / mean)
}

/** The sum over `width` lags in deviations from that of noise, whose squares have mean 1 and variance 2. */
function smoothed(energy: Float32Array, width: number): Float32Array {
  const out = new Float32Array(energy.length)
  const half = Math.floor(width / 2)
  let sum = 0
  for (let i = 0; i < energy.length + half; i += 1) {
    sum += (energy[i] ?? 1) - (energy[i - 2 * half - 1] ?? 1)
    if (i >= half) out[i - half] = sum / Math.sqrt(2 * (2 * half + 1))
  }
  return out
}

function highest(values: Float32Array, apart: number): Value[] {
  const found: Value[] = []
  for (let n = 0; n < placesEach; n += 1) {
    let best: Value | undefined
    for (let i = 0; i < values.length; i += 1) {
      const strength = values[i] as number
      if (strength <= (best?.strength ?? 0)) continue
      if (found.every(({ lag }) => Math.abs(lag - i) > apart)) best = { lag: i, strength }
    }
    if (best) found.push(best)
  }
  return found
}

function worthwhile(found: Value[], share: number): Value[] {
  return found.filter(({ strength }) => strength >= share * (found[0]?.strength ?? 0))
}
