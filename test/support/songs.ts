/** Music that nobody owns: notes and drums by a seed, at 8 kHz; and what a room, a phone and a dancer do to it. */

const rate = 8000

/** Numbers between −1 and 1, the same for the same seed (xorshift). */
export function chance(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 31 - 1
  }
}

/** Each quarter of a second three notes with overtones, and a drum of noise: no two bars are the same. */
export function song(seed: number, seconds: number, tuning = 1): Float32Array {
  const random = chance(seed)
  const out = new Float32Array(seconds * rate)
  const step = rate / 4
  for (let start = 0; start < out.length; start += step) {
    for (let note = 0; note < 3; note += 1) {
      const hz = tuning * 110 * 2 ** (Math.floor((random() + 1) * 18) / 12)
      for (let i = 0; i < 2 * step && start + i < out.length; i += 1) {
        const at = (2 * Math.PI * hz * i) / rate
        const tone = Math.sin(at) + Math.sin(2 * at) / 2 + Math.sin(5 * at) / 5
        out[start + i] = (out[start + i] ?? 0) + 0.1 * tone * Math.exp((-3 * i) / step)
      }
    }
    for (let i = 0; i < step && start + i < out.length; i += 1)
      out[start + i] = (out[start + i] ?? 0) + 0.2 * random() * Math.exp((-20 * i) / step)
  }
  return out
}

export function joined(...parts: Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export const part = (samples: Float32Array, fromS: number, toS: number) =>
  samples.slice(Math.round(fromS * rate), Math.round(toS * rate))

export const silence = (seconds: number) => new Float32Array(Math.round(seconds * rate))

const power = (samples: Float32Array) =>
  samples.reduce((sum, value) => sum + value * value, 0) / Math.max(1, samples.length)

export function noisy(samples: Float32Array, snrDb: number, seed = 7): Float32Array {
  const random = chance(seed)
  const gain = Math.sqrt(3 * power(samples) * 10 ** (-snrDb / 10))
  return samples.map((value) => value + gain * random())
}

/** 200 reflections that fade within half a second. */
export function inRoom(samples: Float32Array, seed = 3): Float32Array {
  const random = chance(seed)
  const out = samples.slice()
  for (let n = 0; n < 200; n += 1) {
    const delay = Math.floor(((random() + 1) / 2) * 0.5 * rate) + 40
    const gain = 0.4 * random() * Math.exp((-6 * delay) / (0.5 * rate))
    for (let i = delay; i < out.length; i += 1) out[i] = (out[i] ?? 0) + gain * (samples[i - delay] ?? 0)
  }
  return out
}

/** A telephone: what is below 300 and above 3000 Hz is gone (two one-pole filters each way). */
export function narrow(samples: Float32Array): Float32Array {
  const smooth = (of: Float32Array, hz: number) => {
    const share = 1 - Math.exp((-2 * Math.PI * hz) / rate)
    let state = 0
    return of.map((value) => {
      state += share * (value - state)
      return state
    })
  }
  const low = smooth(smooth(samples, 3000), 3000)
  const hum = smooth(low, 300)
  return low.map((value, i) => value - (hum[i] ?? 0))
}

export const clipped = (samples: Float32Array) =>
  samples.map((value) => Math.max(-0.5, Math.min(0.5, value * 8)))

/** Zeros for `lengthS` in each `everyS`. */
export const broken = (samples: Float32Array, everyS: number, lengthS: number) =>
  samples.map((value, i) => ((i / rate) % everyS < lengthS ? 0 : value))

/** As a recorder hears it whose clock runs faster by so many millionths. */
export function drifting(samples: Float32Array, ppm: number): Float32Array {
  const speed = 1 + ppm * 1e-6
  return Float32Array.from({ length: Math.floor(samples.length * speed) }, (_, i) => {
    const at = Math.floor(i / speed)
    const low = samples[at] ?? 0
    return low + ((samples[at + 1] ?? 0) - low) * (i / speed - at)
  })
}

/** RIFF WAVE of 32-bit floating point, one channel. */
export function wav(samples: Float32Array): Buffer {
  const head = Buffer.alloc(44)
  const bytes = samples.length * 4
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + bytes, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(3, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(rate * 4, 28)
  head.writeUInt16LE(4, 32)
  head.writeUInt16LE(32, 34)
  head.write('data', 36)
  head.writeUInt32LE(bytes, 40)
  return Buffer.concat([head, Buffer.from(samples.buffer, samples.byteOffset, bytes)])
}
