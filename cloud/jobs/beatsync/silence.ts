/** The rules for silent ends (PROTOCOLS.md 10; docs/beatsync.md, The cut). Levels are RMS of full scale. */

const windowMs = 100
const hopMs = 50
const silent = 0.01 // Of full scale, −40 dB.
const tailMs = 3000 // What is looked at for the end.
const silentShare = 0.6
const weakShare = 0.7
const faint = 0.3 // Of the mean level of the first 80 %.
const bodyShare = 0.8

/** One level for each 50 ms, of the 100 ms that begin there; the last may be shorter. */
export function levelsOf(samples: Float32Array, rate: number): Float32Array {
  const [window, hop] = [(rate * windowMs) / 1000, (rate * hopMs) / 1000]
  return Float32Array.from({ length: Math.ceil(samples.length / hop) }, (_, i) => {
    const part = samples.subarray(i * hop, i * hop + window)
    return Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / part.length)
  })
}

/** Ms of silence at the head: up to the first window that is not silent. All of it when none is. */
export function silentHeadMs(levels: Float32Array): number {
  const first = levels.findIndex((level) => level >= silent)
  return (first < 0 ? levels.length : first) * hopMs
}

/**
 * Where the tail is cut, ms from the beginning; undefined: nowhere. When 60 % of the last 3 s are silent, or 70 %
 * faint (below 30 % of the mean level of the first 80 %): after the last window that is not faint.
 */
export function tailCutMs(levels: Float32Array): number | undefined {
  const tail = levels.subarray(-tailMs / hopMs)
  const body = levels.subarray(0, Math.floor(levels.length * bodyShare))
  const limit = (faint * body.reduce((sum, level) => sum + level, 0)) / Math.max(1, body.length)
  const share = (isIt: (level: number) => boolean) => tail.filter(isIt).length / Math.max(1, tail.length)
  const ends = share((level) => level < silent) >= silentShare || share((level) => level < limit) >= weakShare
  const last = levels.findLastIndex((level) => level > limit)
  return ends && last >= 0 ? last * hopMs + windowMs : undefined
}
