import type { BeatsyncVariant } from '../../../shared/contract/beatsync-api.ts'
import type { AppError } from '../../../shared/error.ts'
import { JobError } from '../reason.ts'
import type { Alignment } from './align.ts'
import { levelsOf, silentHeadMs, tailCutMs } from './silence.ts'

export type Variant = BeatsyncVariant

/** A range of the dance video's time. */
export type Cut = { fromMs: number; toMs: number }

/** What the cut is decided on. `pictures` is the time from the first to the end of the last. */
export type Heard = {
  dance: Float32Array
  bgm: Float32Array
  rate: number
  pictures: Cut
  alignment: Alignment
}

const tracksApartMs = 1000 // A recorder ends its two tracks a little apart; more is a sound that broke off.
const cutMinMs = 500 // What is shorter was trimmed to death.

/** BGM time at a time of the dance video, ms. */
export function bgmTimeMs({ offsetMs, driftPpm }: Alignment, danceMs: number): number {
  return (danceMs - offsetMs) * (1 + driftPpm * 1e-6)
}

/** The time of the video at which there are pictures and the BGM plays. */
export function overlapOf({ dance, bgm, rate, pictures, alignment }: Heard): Cut {
  const { offsetMs, driftPpm } = alignment
  const soundMs = (dance.length * 1000) / rate
  const bgmEndMs = offsetMs + (bgm.length * 1000) / rate / (1 + driftPpm * 1e-6)
  const danceEndMs =
    pictures.toMs - soundMs < tracksApartMs ? Math.min(pictures.toMs, soundMs) : pictures.toMs
  return { fromMs: Math.max(pictures.fromMs, offsetMs), toMs: Math.min(danceEndMs, bgmEndMs) }
}

/**
 * The overlap without its silent ends. `modular`: of the BGM, which is what will be heard. `v2`: also of the video's
 * own sound: it begins and ends where neither is silent.
 */
export function cutOf(heard: Heard, variant: Variant): Cut {
  const overlap = overlapOf(heard)
  if (overlap.toMs - overlap.fromMs < cutMinMs) throw tooShort()
  const { alignment, dance, bgm, rate } = heard
  const bgmPart = part(bgm, rate, bgmTimeMs(alignment, overlap.fromMs), bgmTimeMs(alignment, overlap.toMs))
  const heardParts =
    variant === 'modular' ? [bgmPart] : [bgmPart, part(dance, rate, overlap.fromMs, overlap.toMs)]
  const cuts = heardParts.map((samples) => {
    const levels = levelsOf(samples, rate)
    const tailMs = tailCutMs(levels)
    return {
      fromMs: overlap.fromMs + silentHeadMs(levels),
      toMs: tailMs === undefined ? overlap.toMs : Math.min(overlap.toMs, overlap.fromMs + tailMs),
    }
  })
  const cut = {
    fromMs: Math.max(...cuts.map(({ fromMs }) => fromMs)),
    toMs: Math.min(...cuts.map(({ toMs }) => toMs)),
  }
  if (cut.toMs - cut.fromMs >= cutMinMs) return cut
  if (variant === 'modular') throw tooShort()
  return cutOf(heard, 'modular') // The video's own sound is silent where the music plays: it has no say.
}

function part(samples: Float32Array, rate: number, fromMs: number, toMs: number): Float32Array {
  const [from, to] = [fromMs, toMs].map((ms) => Math.max(0, Math.round((ms * rate) / 1000)))
  return samples.subarray(from, to)
}

function tooShort(): AppError {
  return new JobError(
    'FailedPrecondition',
    'PROCESSING_FAILED',
    'Less than half a second of music plays while there are pictures.',
    { zh: '画面与音乐重叠不足半秒。', detail: 'too_short' },
  )
}
