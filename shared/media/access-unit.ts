/** Codecs that travel through the agent; only those with a writer in `ring` are recorded. */
export type VideoCodec = 'h264' | 'h265' | 'av1' | 'vp9'
export type AudioCodec = 'aac' | 'g711a' | 'g711u' | 'g726' | 'adpcm' | 'opus' | 'mp3'

/**
 * What a decoder must know before the first unit. Immutable: a change of configuration in mid-stream is a
 * new object, so a consumer sees it by comparing references.
 */
export type VideoConfig = {
  readonly track: 'video'
  readonly codec: VideoCodec
  /** VPS (H.265 only), SPS, PPS without start codes, in the order in which they go into a file. */
  readonly parameterSets: readonly Uint8Array[]
  /** Of the displayed picture, after cropping; 0 when the SPS could not be read. */
  readonly width: number
  readonly height: number
  /** RFC 6381, for example `avc1.42c01e`. */
  readonly codecString: string
  /** How many pictures may be shown before one that was decoded earlier (0: no B-frames). */
  readonly reorderDepth: number
  /** Clockwise, as the MP4 matrix turns the picture: 0, 90, 180 or 270. */
  readonly rotation: 0 | 90 | 180 | 270
}

export type AudioConfig = {
  readonly track: 'audio'
  readonly codec: AudioCodec
  /** AudioSpecificConfig (ISO/IEC 14496-3) for AAC, empty for codecs that need none. */
  readonly specificConfig: Uint8Array
  readonly sampleRate: number
  readonly channels: number
  /** Samples per access unit (AAC 1024), 0 when it varies. */
  readonly frameSamples: number
  readonly codecString: string
}

export type CodecConfig = VideoConfig | AudioConfig

/**
 * One picture or one audio frame: the one thing that flows through the agent.
 *
 * Times: `dtsMs`/`ptsMs` are on the stream's timeline, integer milliseconds (see `timeline.ts`);
 * `arrivalMs` is `Clock.monotonicMs()` when its last byte was read (fraction allowed).
 */
export type AccessUnit = {
  readonly track: 'video' | 'audio'
  readonly config: CodecConfig
  /**
   * Video: the NAL units without start codes and without trailing zeros, AUD and parameter sets left out
   * (those stand in `config`; a PPS that changes within a GOP stays with its picture). Audio: one element, the raw frame (AAC without ADTS header).
   * Views of immutable memory: nobody writes to them after the hand-over.
   */
  readonly nalUnits: readonly Uint8Array[]
  /** Bytes in a file: video with a 4-byte start code (or length) before each NAL unit, audio as it is. */
  readonly sizeBytes: number
  /** Video: IDR, CRA/BLA or a recovery point: decoding can start here. Audio: true. */
  readonly randomAccess: boolean
  /** Video: an IDR (or IDR/BLA in H.265): nothing after it refers to anything before it. */
  readonly idr: boolean
  readonly dtsMs: number
  readonly ptsMs: number
  readonly arrivalMs: number
  /** Number of the run of one source clock; grows by one at each jump. */
  readonly epoch: number
  /** `arrival` when the device's clock is frozen or absurd and arrival times had to be used. */
  readonly timeSource: 'device' | 'arrival'
  /** Received damaged but kept. */
  readonly damaged?: boolean
  /** The source's stamp as it came, where it says more than the timeline: history that is played back and forth. */
  readonly sourceMs?: number
}

/** A range in which a source should have given pictures and did not, or they were lost. */
export type SourceGap = {
  /** Timeline milliseconds of the last unit before and the first after; undefined when it is open. */
  readonly fromMs: number
  readonly toMs: number
  readonly cause: GapCause
  /** How many units are known to be missing, when the source numbers them. */
  readonly units?: number
}

export const gapCauses = [
  'crash', // The agent was killed or lost power.
  'source-lost', // The connection of the source was gone.
  'sequence', // The source's own numbering says that units are missing.
  'bad-packet', // Units were refused because they could not be read.
  'clock', // The source's clock jumped; no picture need be missing.
  'disk-slow', // The queue to the disk was full.
  'disk-full', // No space, and the policy said stop (or nothing could be freed).
  'disk-error', // A write or a sync failed.
  'damaged', // The bytes on the disk do not match their checksum.
  'recycled', // The ring no longer held the range that was asked for.
  'missing', // The archive waited 24 h and the segment did not come.
] as const
export type GapCause = (typeof gapCauses)[number]
