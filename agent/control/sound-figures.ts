import type { AacSoundFigures } from '../play/audio-aac.ts'
import type { Metrics } from './metrics.ts'

/** Sound that is made AAC for players that do not know it as it is. */
export function soundFigures(metrics: Metrics, figures: Readonly<AacSoundFigures>): void {
  metrics.gauge(
    'edgereel_sound_children',
    'Streams whose sound is made AAC now, one FFmpeg each',
    () => figures.children,
  )
  metrics.counterOf(
    'edgereel_sound_failed_total',
    'FFmpeg children for sound that ended by themselves and were started again',
    () => figures.failed,
  )
  metrics.counterOf(
    'edgereel_sound_left_out_total',
    'Times that a stream was shown without its sound, because it could not be made AAC',
    () => figures.leftOut,
  )
}
