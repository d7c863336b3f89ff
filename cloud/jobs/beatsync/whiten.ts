import { Fft } from './fft.ts'

const frame = 1024 // 128 ms at 8 kHz: longer than a reflection of a room, shorter than a note.
const hop = frame / 2
const floor = 1e-5 // Of full scale: below it there is nothing but the noise of a converter.

/**
 * Gives every frequency between the two the same strength in every frame of 128 ms: what is left is phase, which is
 * where a signal's time stands. A voice, a clap or a hum then weighs no more than its share of time and frequency.
 */
export function whiten(
  signal: Float32Array,
  band: { rate: number; fromHz: number; toHz: number },
): Float32Array {
  const fft = new Fft(frame)
  const window = Float32Array.from({ length: frame }, (_, i) => Math.sin((Math.PI * (i + 0.5)) / frame))
  const [first, last] = [band.fromHz, band.toHz].map((hz) => Math.round((hz * frame) / band.rate))
  const out = new Float32Array(signal.length)
  const [re, im] = [new Float32Array(frame), new Float32Array(frame)]
  // Two frames go through one transform, as the real and the imaginary part: both are real.
  for (let start = -hop; start < signal.length; start += 2 * hop) {
    for (let i = 0; i < frame; i += 1) {
      const w = window[i] as number
      re[i] = (signal[start + i] ?? 0) * w
      im[i] = (signal[start + hop + i] ?? 0) * w
    }
    fft.forward(re, im)
    flatten(re, im, first ?? 0, last ?? 0)
    fft.inverse(re, im)
    for (let i = 0; i < frame; i += 1) {
      const w = window[i] as number
      if (start + i >= 0 && start + i < out.length)
        out[start + i] = (out[start + i] as number) + (re[i] as number) * w
      if (start + hop + i < out.length)
        out[start + hop + i] = (out[start + hop + i] as number) + (im[i] as number) * w
    }
  }
  return out
}

/** Splits the two spectra, sets each bin of the band to length 1 and joins them again. */
function flatten(re: Float32Array, im: Float32Array, first: number, last: number): void {
  const quiet = floor * frame
  for (let k = 0; k <= frame / 2; k += 1) {
    const m = (frame - k) % frame
    const [a, b, c, d] = [re[k] as number, im[k] as number, re[m] as number, im[m] as number]
    let [ar, ai, br, bi] = [(a + c) / 2, (b - d) / 2, (b + d) / 2, (c - a) / 2]
    const inside = k >= first && k <= last
    const one = inside ? 1 / (Math.hypot(ar, ai) + quiet) : 0
    const two = inside ? 1 / (Math.hypot(br, bi) + quiet) : 0
    ar *= one
    ai *= one
    br *= two
    bi *= two
    re[k] = ar - bi
    im[k] = ai + br
    re[m] = ar + bi
    im[m] = br - ai
  }
}
