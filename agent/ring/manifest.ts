import type { Gap, Manifest } from '../../shared/contract/segment.ts'
import type { SegmentHeader } from '../../shared/contract/segment-header.ts'
import { videoConfigOf } from '../../shared/contract/segment-header.ts'
import { AppError } from '../../shared/error.ts'
import { manifestGapsMax } from '../../shared/limits.ts'
import { encodeAvcC, encodeHvcC } from '../../shared/media/codec-config.ts'
import type { FileSum } from './segment-file.ts'
import type { SegmentSummary } from './segment-summary.ts'
import type { SegmentEnd } from './types.ts'

/** The manifest of a segment whose files are final. */
export function manifestOf(options: {
  header: SegmentHeader
  summary: SegmentSummary
  records: number
  files: readonly FileSum[]
  /** Wall ms. */
  gaps: readonly Gap[]
  end: SegmentEnd
}): Manifest {
  const { header, summary, files, end } = options
  const from = Math.round(summary.fromMs + end.wallOffsetMs)
  const to = Math.round(Math.max(end.endMs ?? summary.toMs, summary.fromMs) + end.wallOffsetMs)
  const sumOf = (ext: string) => {
    const { sizeBytes, sha256 } = files.find((file) => file.ext === ext) ?? {
      sizeBytes: 0,
      sha256: emptySha256,
    }
    return { sizeBytes, sha256 }
  }
  return {
    version: 1,
    agent: header.agent,
    stream: header.stream,
    epoch: header.epoch,
    seq: header.seq,
    from,
    to: Math.max(to, from + 1),
    wallOffsetMs: end.wallOffsetMs,
    wallBoundMs: end.wallBoundMs,
    timeSource: header.timeSource,
    ...(header.video &&
      summary.video.units + summary.video.duplicates > 0 && { video: videoOf(header.video, summary, sumOf) }),
    ...(header.audio && summary.audio.units > 0 && { audio: audioOf(header.audio, summary, sumOf) }),
    index: { ...sumOf('idx'), records: options.records },
    continues: header.continues,
    ...(header.kept && { kept: header.kept }),
    ...(header.gapBefore && { gapBefore: header.gapBefore }),
    gaps: boundedGaps(options.gaps),
    closedBecause: end.reason,
    continued: end.continued ?? false,
  }
}

type SumOf = (ext: string) => { sizeBytes: number; sha256: string }

function videoOf(video: NonNullable<SegmentHeader['video']>, summary: SegmentSummary, sumOf: SumOf) {
  const { codec, codecString, width, height, rotation } = video
  const { units, duplicates, damaged } = summary.video
  return {
    ...{ codec, codecString, width, height, rotation },
    configHex: configHexOf(video),
    units,
    duplicates,
    ...(damaged > 0 && { damaged }),
    file: sumOf(codec),
  }
}

/** Empty for parameter sets that fit no record: the pictures are kept, the index's header has the sets. */
function configHexOf(video: NonNullable<SegmentHeader['video']>): string {
  const config = videoConfigOf(video)
  try {
    return Buffer.from(video.codec === 'h264' ? encodeAvcC(config) : encodeHvcC(config)).toString('hex')
  } catch (error) {
    if (error instanceof AppError) return ''
    throw error
  }
}

function audioOf(audio: NonNullable<SegmentHeader['audio']>, summary: SegmentSummary, sumOf: SumOf) {
  const { codec, codecString, sampleRate, channels, configHex } = audio
  return {
    ...{ codec, codecString, sampleRate, channels, configHex },
    units: summary.audio.units,
    file: sumOf(codec),
  }
}

/** Beyond the bound the last ones are joined: longer than true, never silent. */
export function boundedGaps(gaps: readonly Gap[]): Gap[] {
  if (gaps.length <= manifestGapsMax) return [...gaps]
  const kept = gaps.slice(0, manifestGapsMax - 1)
  const rest = gaps.slice(manifestGapsMax - 1)
  const units = rest.every((gap) => gap.units !== undefined)
    ? { units: rest.reduce((sum, gap) => sum + (gap.units ?? 0), 0) }
    : {}
  const from = Math.min(...rest.map((gap) => gap.from))
  const to = Math.max(...rest.map((gap) => gap.to))
  return [...kept, { from, to, cause: rest[0]?.cause ?? 'sequence', ...units }]
}

const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
