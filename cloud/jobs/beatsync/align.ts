import { highLags, pairOf, wideLags } from './rough.ts'
import { type Place, trace } from './trace.ts'
import { whiten } from './whiten.ts'

/**
 * `offsetMs` is the time in the dance video at which the BGM's t = 0 falls. `score` is the height of the correlation
 * in deviations of its noise. `driftPpm`: BGM time = (dance time − offset) · (1 + driftPpm · 10⁻⁶), 0 where it
 * cannot be told from 0.
 */
export type Alignment = Place

export type Refusal = {
  refused: 'not_same_song' | 'unsure'
  /** The best first, at most two. */
  candidates: { offsetMs: number; score: number }[]
}

/** Samples a second that `align` wants: a loudspeaker and a phone leave little above 4 kHz. */
export const alignRate = 8000
const fine = { rate: alignRate, fromHz: 150, toHz: 3800 }
const rough = { rate: alignRate, fromHz: 150, toHz: 1900 }
const roughStep = 2 // The rough band fits into 4 kHz: half the points, and half the memory.

const scoreMin = 8 // Noise reaches 5.5 among 10⁷ lags, and one recorded song's likeness to another 6.
// A copy of a chorus is behind by nearly nothing. Two songs of the same beat and the same synthesizer are alike at every
// beat, up to 18 deviations, at many places within 4 of each other.
const lead = { share: 0.12, deviations: 8 }
const clear = { score: 40, ahead: 2 }
const sameWithinMs = 50

/**
 * Finds a music in a video's sound: roughly over the whole of both, then exactly at each of the few best places.
 * Refuses when chance explains the best one, or another is as good. Pure; blocks for seconds, uses about
 * 24 bytes of memory a sample.
 */
export function align(dance: Float32Array, bgm: Float32Array): Alignment | Refusal {
  const pair = pairOf(thinned(whiten(dance, rough)), thinned(whiten(bgm, rough)), rough.rate / roughStep)
  const [danceFine, bgmFine] = [whiten(dance, fine), whiten(bgm, fine)]
  const follow = (lag: number) => trace(danceFine, bgmFine, lag * roughStep, fine.rate)
  let places = distinct(highLags(pair).map(follow))
  if (!isClear(places)) places = distinct([...places, ...wideLags(pair).map(follow)])
  const [best, second] = places
  const refuse = (refused: Refusal['refused']): Refusal => ({
    refused,
    candidates: places.slice(0, 2).map(({ offsetMs, score }) => ({ offsetMs, score })),
  })
  if (!best || best.score < scoreMin) return refuse('not_same_song')
  const ahead = best.score - (second?.score ?? 0)
  return ahead < Math.max(lead.deviations, lead.share * best.score) ? refuse('unsure') : best
}

/** So high, and so far ahead, that a drifting clock does not hide a better one. */
function isClear([best, second]: Place[]): boolean {
  return best !== undefined && best.score >= clear.score && best.score >= clear.ahead * (second?.score ?? 0)
}

/** The best first, each place once. */
function distinct(found: Place[]): Place[] {
  const sorted = found.toSorted((one, two) => two.score - one.score)
  return sorted.filter((place, i) => !sorted.slice(0, i).some((better) => isSame(place, better)))
}

const isSame = (one: Place, two: Place) => Math.abs(one.offsetMs - two.offsetMs) < sameWithinMs

function thinned(samples: Float32Array): Float32Array {
  return Float32Array.from(
    { length: Math.ceil(samples.length / roughStep) },
    (_, i) => samples[i * roughStep] as number,
  )
}
