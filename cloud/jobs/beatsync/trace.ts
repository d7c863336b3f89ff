import { correlate, Fft } from './fft.ts'
import { fitLine, type Line, type Piece } from './line.ts'
import { driftMax } from './rough.ts'

export type Place = { offsetMs: number; score: number; driftPpm: number }

const fftSize = 16_384
const pieceSamples = 8000 // 1 s at 8 kHz, over which a drift of 500 ppm smears a peak by 4 samples; the rest is room for lags.
const slackS = 0.03 // A rough place is not exact.

/**
 * Follows a music through the video from a rough place on. Where the clocks differ, the video's sound is brought to the
 * music's clock and followed once more: then no piece is smeared, and the score is that of equal clocks.
 */
export function trace(dance: Float32Array, bgm: Float32Array, lag: number, rate: number): Place {
  const first = follow(dance, bgm, lag, rate)
  const second =
    first.b === 0
      ? first
      : follow(warped(dance, 1 / (1 - first.b)), bgm, startOf(first) * (1 - first.b), rate)
  const isBetter = second !== first && second.score > first.score
  const [speed, start] = isBetter
    ? [(1 - first.b) * (1 - second.b), startOf(second) / (1 - first.b)]
    : [1 - first.b, startOf(first)]
  const score = isBetter ? second.score : first.score
  return { offsetMs: (start * 1000) / rate, score, driftPpm: speed === 1 ? 0 : (speed - 1) * 1e6 }
}

/** offset(t) = a + b · (t − t0), samples; where it equals t, the BGM begins. */
const startOf = ({ a, b, t0 }: Line) => (a - b * t0) / (1 - b)

/** Correlates each second on its own, and lays a straight line through their offsets. */
function follow(dance: Float32Array, bgm: Float32Array, place: number, rate: number): Line {
  const lag = Math.round(place)
  const from = Math.max(0, lag)
  const to = Math.min(dance.length, lag + bgm.length)
  const roomMax = Math.floor((fftSize - pieceSamples) / 2) - 1
  const room = Math.min(roomMax, Math.ceil(slackS * rate + driftMax * (to - from)))
  const fft = new Fft(fftSize)
  const pieces: Piece[] = []
  for (let start = from; start < to; start += pieceSamples) {
    const end = Math.min(start + pieceSamples, to)
    if (end - start < pieceSamples / 2 && pieces.length > 0) break
    const at = correlate(fft, slice(bgm, start - lag - room, end - lag + room), dance.subarray(start, end))
    // What lies at 2 · room − i of the longer one is heard i − room samples later than at the rough place.
    const values = Float32Array.from({ length: 2 * room + 1 }, (_, i) => at(2 * room - i))
    const noise = deviation(values)
    if (noise > 0) pieces.push({ at: (start + end) / 2, values: values.map((value) => value / noise), room })
  }
  const line = fitLine(pieces, driftMax)
  return { ...line, a: line.a + lag }
}

function warped(samples: Float32Array, speed: number): Float32Array {
  return Float32Array.from({ length: Math.floor((samples.length - 1) / speed) }, (_, i) => {
    const at = Math.floor(i * speed)
    const [low, high] = [samples[at] as number, samples[at + 1] ?? 0]
    return low + (high - low) * (i * speed - at)
  })
}

/** Zeros where there is no signal. */
function slice(signal: Float32Array, from: number, to: number): Float32Array {
  const out = new Float32Array(to - from)
  const begin = Math.max(0, from)
  if (begin < Math.min(to, signal.length))
    out.set(signal.subarray(begin, Math.min(to, signal.length)), begin - from)
  return out
}

/** Of noise with peaks in it: by the median, which peaks do not move. */
function deviation(values: Float32Array): number {
  const sizes = values.map(Math.abs).sort()
  return (sizes[sizes.length >> 1] ?? 0) / 0.6745
}
