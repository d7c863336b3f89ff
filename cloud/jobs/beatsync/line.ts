/** The correlation of one piece with the music about a rough place, in deviations of its noise; `values[room + d]` is at d samples. */
export type Piece = { at: number; values: Float32Array; room: number }

/** offset(t) = a + b · (t − t0), samples. `score`: the sum of the correlation along it, in deviations. */
export type Line = { a: number; b: number; t0: number; score: number }

type Peak = { at: number; offset: number; height: number }

const strongPieces = 24 // Any two of them name a line: 276 lines to try.
const near = 8 // 1 ms at 8 kHz: a piece whose peak is farther from the line heard something else.
const tall = 4.5 // Deviations. Lower peaks are chance.
const rounds = 4

/**
 * The straight line along which the pieces' correlations sum up highest. Lines through two pieces' peaks are tried,
 * and those of equal clocks; the best one is then fitted to all peaks near it.
 */
export function fitLine(pieces: readonly Piece[], slopeMax: number): Line {
  const [first, last] = [pieces[0]?.at ?? 0, pieces.at(-1)?.at ?? 0]
  const t0 = (first + last) / 2
  const peaks = pieces.map(highestPeak)
  const strong = peaks.toSorted((x, y) => y.height - x.height).slice(0, strongPieces)
  let best: Line = { a: 0, b: 0, t0, score: 0 }
  const consider = (a: number, b: number) => {
    const score = Math.abs(sumAlong(pieces, { a, b, t0 }))
    if (score > best.score) best = { a, b, t0, score }
  }
  const { room } = pieces[0] ?? { room: 0 }
  for (let a = -room; a <= room; a += 1) consider(a, 0)
  for (const [i, one] of strong.entries()) {
    for (const two of strong.slice(i + 1)) {
      if (Math.abs(two.at - one.at) < (last - first) / 4) continue
      const b = (two.offset - one.offset) / (two.at - one.at)
      if (Math.abs(b) <= slopeMax) consider(one.offset + b * (t0 - one.at), b)
    }
  }
  return refine(pieces, best, slopeMax)
}

function refine(pieces: readonly Piece[], rough: Line, slopeMax: number): Line {
  let line = rough
  for (let round = 0; round < rounds; round += 1) {
    const peaks = pieces.map((piece) => peakNear(piece, line)).filter(({ height }) => height >= tall)
    if (peaks.length === 0) return line
    line = leastSquares(peaks, line, slopeMax)
  }
  const score = Math.abs(sumAlong(pieces, line))
  return score > rough.score / 2 ? { ...line, score: Math.max(score, rough.score) } : rough
}

/** Weighted by height. The slope stays 0 where the peaks cannot tell it from 0. */
function leastSquares(peaks: readonly Peak[], line: Line, slopeMax: number): Line {
  const { t0 } = line
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0]
  for (const { at, offset, height } of peaks) {
    const x = at - t0
    w += height
    wx += height * x
    wy += height * offset
    wxx += height * x * x
    wxy += height * x * offset
  }
  const [meanX, meanY] = [wx / w, wy / w]
  const spread = wxx / w - meanX ** 2
  const b = spread > 0 ? (wxy / w - meanX * meanY) / spread : 0
  const a = meanY - b * meanX
  const rest =
    peaks.reduce((sum, { at, offset, height }) => sum + height * (offset - a - b * (at - t0)) ** 2, 0) / w
  const error = Math.sqrt((rest + resolution ** 2) / Math.max(1e-9, spread * peaks.length))
  const isKnown = peaks.length >= 3 && Math.abs(b) > sure * error && Math.abs(b) <= slopeMax
  return isKnown ? { ...line, a, b } : { ...line, a: meanY, b: 0 }
}

const resolution = 0.25 // Samples: peaks are told no better, however well they agree.
const sure = 4

function highestPeak(piece: Piece): Peak {
  return peakBetween(piece, 0, piece.values.length - 1)
}

function peakNear(piece: Piece, { a, b, t0 }: Line): Peak {
  const middle = Math.round(a + b * (piece.at - t0)) + piece.room
  return peakBetween(piece, Math.max(0, middle - near), Math.min(piece.values.length - 1, middle + near))
}

/** The vertex of the parabola through the highest value and its neighbours. */
function peakBetween({ at, values, room }: Piece, from: number, to: number): Peak {
  let top = from
  for (let i = from; i <= to; i += 1) if (Math.abs(values[i] ?? 0) > Math.abs(values[top] ?? 0)) top = i
  const [left, height, right] = [top - 1, top, top + 1].map((i) => Math.abs(values[i] ?? 0)) as [
    number,
    number,
    number,
  ]
  const bend = left - 2 * height + right
  const shift = bend < 0 ? Math.max(-0.5, Math.min(0.5, (left - right) / (2 * bend))) : 0
  return { at, offset: top - room + shift, height }
}

function sumAlong(pieces: readonly Piece[], { a, b, t0 }: Omit<Line, 'score'>): number {
  let sum = 0
  for (const { at, values, room } of pieces) {
    const x = a + b * (at - t0) + room
    const i = Math.floor(x)
    const [low, high] = [values[i] ?? 0, values[i + 1] ?? 0]
    sum += low + (high - low) * (x - i)
  }
  return sum / Math.sqrt(Math.max(1, pieces.length))
}
