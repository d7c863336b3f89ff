const cachedPoints = 8192 // 64 kB: the passes within such a block find all of it in the nearest caches.

/**
 * Fourier transform of `size` complex points, in place: iterative radix 2, decimation in time. `size` is a power
 * of two. Values are stored in 32 bits, which leaves an error of 10⁻⁶ at 2²³ points, far below any peak looked for.
 */
export class Fft {
  readonly size: number
  /** The factors of each pass in a row, those of the pass that joins halves of `h` points from index `h` on. */
  readonly #cos: Float32Array
  readonly #sin: Float32Array

  constructor(size: number) {
    this.size = size
    this.#cos = new Float32Array(size)
    this.#sin = new Float32Array(size)
    const last = size / 2
    for (let k = 0; k < last; k += 1) {
      this.#cos[last + k] = Math.cos((Math.PI * k) / last)
      this.#sin[last + k] = -Math.sin((Math.PI * k) / last)
    }
    for (let i = last - 1; i > 0; i -= 1) {
      this.#cos[i] = this.#cos[2 * i] as number
      this.#sin[i] = this.#sin[2 * i] as number
    }
  }

  forward(re: Float32Array, im: Float32Array): void {
    this.#permute(re, im)
    this.#firstPass(re, im)
    const block = Math.min(this.size, cachedPoints)
    for (let from = 0; from < this.size; from += block)
      for (let half = 2; half < block; half *= 2) this.#pass(re, im, half, { from, to: from + block })
    for (let half = block; half < this.size; half *= 2) this.#pass(re, im, half, { from: 0, to: this.size })
  }

  /** Not divided by `size`. */
  inverse(re: Float32Array, im: Float32Array): void {
    this.forward(im, re) // Swapping the parts conjugates before and after.
  }

  // Below, values have names of their own and fields are read once: V8 makes no arrays and looks nothing up in the loops.

  #permute(re: Float32Array, im: Float32Array): void {
    const size = this.size
    for (let i = 1, j = 0; i < size; i += 1) {
      let bit = size >> 1
      for (; j & bit; bit >>= 1) j ^= bit
      j |= bit
      if (i >= j) continue
      const a = re[i] as number
      const b = im[i] as number
      re[i] = re[j] as number
      im[i] = im[j] as number
      re[j] = a
      im[j] = b
    }
  }

  /** Pairs of neighbours, whose factor is 1. */
  #firstPass(re: Float32Array, im: Float32Array): void {
    const size = this.size
    for (let i = 0; i < size; i += 2) {
      const a = re[i + 1] as number
      const b = im[i + 1] as number
      const x = re[i] as number
      const y = im[i] as number
      re[i + 1] = x - a
      im[i + 1] = y - b
      re[i] = x + a
      im[i] = y + b
    }
  }

  #pass(re: Float32Array, im: Float32Array, half: number, { from, to }: { from: number; to: number }): void {
    const cos = this.#cos
    const sin = this.#sin
    for (let start = from; start < to; start += 2 * half) {
      for (let k = 0; k < half; k += 1) {
        const i = start + k
        const j = i + half
        const c = cos[half + k] as number
        const s = sin[half + k] as number
        const x = re[j] as number
        const y = im[j] as number
        const a = x * c - y * s
        const b = x * s + y * c
        const u = re[i] as number
        const v = im[i] as number
        re[j] = u - a
        im[j] = v - b
        re[i] = u + a
        im[i] = v + b
      }
    }
  }
}

/**
 * Cross-correlation of two real signals by way of one spectrum: both go through one complex transform, one as the
 * real and one as the imaginary part. `lag(k)` is the sum over t of first[t + k] · second[t], for −size/2 < k < size/2.
 * Needs size ≥ first.length + second.length.
 */
export function correlate(fft: Fft, first: Float32Array, second: Float32Array): (lag: number) => number {
  const { size } = fft
  const [re, im] = [new Float32Array(size), new Float32Array(size)]
  re.set(first)
  im.set(second)
  fft.forward(re, im)
  crossSpectrum(re, im)
  fft.inverse(re, im)
  const scale = 1 / size
  return (lag) => (re[lag < 0 ? lag + size : lag] as number) * scale
}

/** From the spectrum of first + i·second to first · conj(second), in place; both halves at once. */
function crossSpectrum(re: Float32Array, im: Float32Array): void {
  const size = re.length
  for (let k = 0; k <= size / 2; k += 1) {
    const m = (size - k) % size
    const a = re[k] as number
    const b = im[k] as number
    const c = re[m] as number
    const d = im[m] as number
    const fr = (a + c) / 2
    const fi = (b - d) / 2
    const sr = (b + d) / 2
    const si = (c - a) / 2
    const x = fr * sr + fi * si
    const y = fi * sr - fr * si
    re[k] = x
    im[k] = y
    re[m] = x
    im[m] = -y
  }
}

export function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, atLeast)))
}
