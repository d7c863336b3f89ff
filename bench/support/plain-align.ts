import { correlate, Fft, powerOfTwo } from '../../cloud/jobs/beatsync/fft.ts'

// Two ways that others align, for comparison; both on 8 kHz mono.

const rate = 8000

/** Raw samples, correlated at every tenth of a second only. */
export function gridOffsetMs(dance: Float32Array, bgm: Float32Array): number {
  const lag = correlate(new Fft(powerOfTwo(dance.length + bgm.length)), dance, bgm)
  const step = rate / 10
  let best = { value: 0, lag: 0 }
  for (let k = -Math.floor(bgm.length / step) * step; k < dance.length; k += step)
    if (Math.abs(lag(k)) > best.value) best = { value: Math.abs(lag(k)), lag: k }
  return (best.lag * 1000) / rate
}

const hop = 128 // 16 ms.
const frame = 256
const bands = 26
const coefficients = 20

/** 20 mel-frequency cepstral coefficients each 16 ms, normalised, correlated; the score is the peak's height over the rest in deviations. */
export function mfccOffset(dance: Float32Array, bgm: Float32Array): { offsetMs: number; score: number } {
  const [one, two] = [mfcc(dance), mfcc(bgm)]
  const [frames, others] = [one[0]?.length ?? 0, two[0]?.length ?? 0]
  const fft = new Fft(powerOfTwo(frames + others))
  const sums = new Float64Array(frames + others)
  for (let c = 0; c < coefficients; c += 1) {
    const lag = correlate(fft, one[c] ?? new Float32Array(), two[c] ?? new Float32Array())
    for (let k = -others; k < frames; k += 1) sums[k + others] = (sums[k + others] ?? 0) + lag(k)
  }
  const top = sums.indexOf(Math.max(...sums))
  const mean = sums.reduce((sum, value) => sum + value, 0) / sums.length
  const deviation = Math.sqrt(sums.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sums.length)
  return { offsetMs: ((top - others) * hop * 1000) / rate, score: ((sums[top] ?? 0) - mean) / deviation }
}

function mfcc(samples: Float32Array): Float32Array[] {
  const fft = new Fft(frame)
  const frames = Math.max(0, Math.floor((samples.length - frame) / hop) + 1)
  const out = Array.from({ length: coefficients }, () => new Float32Array(frames))
  const mel = melBands()
  for (let f = 0; f < frames; f += 1) {
    const re = Float32Array.from({ length: frame }, (_, i) => {
      const window = 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (frame - 1))
      return (samples[f * hop + i] ?? 0) * window
    })
    const im = new Float32Array(frame)
    fft.forward(re, im)
    const logs = mel.map((weights) =>
      Math.log(weights.reduce((sum, w, k) => sum + w * ((re[k] ?? 0) ** 2 + (im[k] ?? 0) ** 2), 0) + 1e-10),
    )
    for (let c = 0; c < coefficients; c += 1) {
      const value = logs.reduce(
        (sum, log, b) => sum + log * Math.cos((Math.PI * (c + 1) * (b + 0.5)) / bands),
        0,
      )
      ;(out[c] as Float32Array)[f] = value
    }
  }
  return out.map(normalised)
}

function normalised(row: Float32Array): Float32Array {
  const mean = row.reduce((sum, value) => sum + value, 0) / Math.max(1, row.length)
  const deviation = Math.sqrt(
    row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, row.length),
  )
  return row.map((value) => (value - mean) / (deviation || 1))
}

/** Triangles on the mel scale from 0 to 4 kHz. */
function melBands(): number[][] {
  const toMel = (hz: number) => 1127 * Math.log(1 + hz / 700)
  const toHz = (mel: number) => 700 * (Math.exp(mel / 1127) - 1)
  const edges = Array.from({ length: bands + 2 }, (_, i) => toHz((i * toMel(rate / 2)) / (bands + 1)))
  return Array.from({ length: bands }, (_, b) => {
    const [low, middle, high] = [edges[b] ?? 0, edges[b + 1] ?? 0, edges[b + 2] ?? 0]
    return Array.from({ length: frame / 2 }, (_each, k) => {
      const hz = (k * rate) / frame
      return Math.max(0, Math.min((hz - low) / (middle - low), (high - hz) / (high - middle)))
    })
  })
}
