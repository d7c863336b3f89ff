import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { ObjectStore } from '../../cloud/ports.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { keys, type Manifest, type SegmentFile, type SegmentId } from '../../shared/contract/segment.ts'
import { audioHeaderOf, type SegmentHeader, videoHeaderOf } from '../../shared/contract/segment-header.ts'
import { adtsHeader } from '../../shared/media/aac.ts'
import type { AccessUnit, AudioConfig, VideoConfig } from '../../shared/media/access-unit.ts'
import { encodeIndexHeader } from '../../shared/media/index.ts'
import { encodeIndexRecord, type IndexUnit, unitFlag } from '../../shared/media/index-record.ts'
import { joinAnnexB } from '../../shared/media/nal.ts'
import type { SourceSample } from './movie-source.ts'

/** A sealed segment as the agent's ring writes it. */
export type SealedSegment = { manifest: Manifest; files: { ext: SegmentFile; bytes: Buffer }[] }

export type FixtureUnit = Pick<AccessUnit, 'track' | 'randomAccess' | 'idr' | 'dtsMs' | 'ptsMs'> & {
  /** As in the file: Annex B with 4-byte start codes, or a bare audio frame. */
  bytes: Uint8Array
  duplicate?: boolean
  damaged?: boolean
}

export type FixtureSegment = SegmentId & {
  units: readonly FixtureUnit[]
  video?: VideoConfig
  audio?: AudioConfig
  /** Timeline + this is wall time. */
  wallOffsetMs?: number
  wallBoundMs?: number
  continues?: boolean
}

export function unitOf(unit: AccessUnit): FixtureUnit {
  const bytes = unit.track === 'video' ? joinAnnexB(unit.nalUnits) : (unit.nalUnits[0] ?? new Uint8Array())
  return { ...unit, bytes }
}

/** Samples of a real MP4, moved on the timeline. */
export function unitsOf(track: 'video' | 'audio', samples: readonly SourceSample[], byMs = 0): FixtureUnit[] {
  return samples.map(({ dtsMs, ptsMs, sync, bytes }) => ({
    track,
    randomAccess: track === 'audio' || sync,
    idr: track === 'video' && sync,
    dtsMs: dtsMs + byMs,
    ptsMs: ptsMs + byMs,
    bytes,
  }))
}

export function sealSegment(segment: FixtureSegment): SealedSegment {
  const { agent, stream, epoch, seq, units, video, audio } = segment
  const { wallOffsetMs = 0, wallBoundMs = 5, continues = false } = segment
  const own = units.filter((unit) => !unit.duplicate)
  const main = own.some(({ track }) => track === 'video') ? own.filter(({ track }) => track === 'video') : own
  const from = Math.round(Math.min(...main.map(({ ptsMs }) => ptsMs)) + wallOffsetMs)
  const to = Math.round(Math.max(...main.map(({ ptsMs }) => ptsMs)) + wallOffsetMs) + 33
  const header: SegmentHeader = {
    ...{ version: 1, agent, stream, epoch, seq, openedWallMs: from, wallOffsetMs, wallBoundMs },
    ...{ timeSource: 'device', continues },
    ...(video && { video: videoHeaderOf(video as VideoConfig & { codec: 'h264' | 'h265' }) }),
    ...(audio && { audio: audioHeaderOf(audio) }),
  }
  const { records, videoFile, audioFile } = layOut(units, header, video, audio)
  const idx = Buffer.concat([encodeIndexHeader(header), ...records])
  const hurt = own.filter(({ track, damaged }) => track === 'video' && damaged).length
  const count = (track: string) => own.filter((unit) => unit.track === track).length
  const manifest: Manifest = {
    ...{ version: 1, agent, stream, epoch, seq, from, to, wallOffsetMs, wallBoundMs },
    ...{ timeSource: 'device', continues, gaps: [] },
    ...(header.video && {
      video: {
        ...header.video,
        configHex: '',
        units: count('video'),
        duplicates: units.length - own.length,
        ...(hurt > 0 && { damaged: hurt }),
        file: sumOf(videoFile),
      },
    }),
    ...(header.audio &&
      count('audio') > 0 && {
        audio: { ...header.audio, units: count('audio'), file: sumOf(audioFile) },
      }),
    index: { ...sumOf(idx), records: records.length },
  }
  const files: SealedSegment['files'] = []
  if (header.video) files.push({ ext: header.video.codec, bytes: videoFile })
  if (manifest.audio) files.push({ ext: manifest.audio.codec as SegmentFile, bytes: audioFile })
  files.push({ ext: 'idx', bytes: idx }, { ext: 'json', bytes: Buffer.from(JSON.stringify(manifest)) })
  return { manifest, files }
}

function layOut(
  units: readonly FixtureUnit[],
  header: SegmentHeader,
  video: VideoConfig | undefined,
  audio: AudioConfig | undefined,
) {
  const parts = { video: [] as Uint8Array[], audio: [] as Uint8Array[] }
  const offsets = { video: 0, audio: 0 }
  const records: Uint8Array[] = []
  const add = (unit: Omit<IndexUnit, 'offset' | 'sizeBytes' | 'crc' | 'arrivalUs'>, bytes: Uint8Array) => {
    const arrivalUs = Math.round((unit.ptsMs + header.wallOffsetMs + 3) * 1000)
    const offset = offsets[unit.track]
    records.push(
      encodeIndexRecord({ ...unit, offset, sizeBytes: bytes.length, crc: crc32(bytes), arrivalUs }),
    )
    offsets[unit.track] += bytes.length
    parts[unit.track].push(bytes)
  }
  if (video)
    add({ kind: 'config', track: 'video', flags: 0, dtsMs: 0, ptsMs: 0 }, joinAnnexB(video.parameterSets))
  for (const { track, randomAccess, idr, duplicate, damaged, dtsMs, ptsMs, bytes } of units) {
    const flags =
      (randomAccess ? unitFlag.randomAccess : 0) |
      (idr ? unitFlag.idr : 0) |
      (duplicate ? unitFlag.duplicate : 0) |
      (damaged ? unitFlag.damaged : 0)
    const isAac = track === 'audio' && audio?.codec === 'aac'
    const framed = isAac ? Buffer.concat([adtsHeader(audio, bytes.length), bytes]) : bytes
    add({ kind: 'unit', track, flags, dtsMs, ptsMs }, framed)
  }
  return { records, videoFile: Buffer.concat(parts.video), audioFile: Buffer.concat(parts.audio) }
}

export const sumOf = (bytes: Buffer) => ({
  sizeBytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
})

/** As the agent uploads: the manifest last. */
export async function putSegment(store: ObjectStore, { manifest, files }: SealedSegment): Promise<void> {
  for (const { ext, bytes } of files) {
    const options = { ...sumOf(bytes), contentType: 'application/octet-stream', ifAbsent: true }
    await store.put(keys.raw(manifest, ext), bytes, options)
  }
}

/** A closed recording of these segments. */
export function recordingOf(
  id: string,
  segments: readonly SealedSegment[],
  more: Partial<Recording> = {},
): Recording {
  const names = [...new Set(segments.map(({ manifest }) => manifest.stream))]
  const from = more.from ?? Math.min(...segments.map(({ manifest }) => manifest.from))
  const to = more.to ?? Math.max(...segments.map(({ manifest }) => manifest.to))
  const streams = names.map((name) => ({
    name,
    from,
    to,
    segments: segments
      .filter(({ manifest }) => manifest.stream === name)
      .map(({ manifest: { epoch, seq } }) => ({ epoch, seq })),
    gaps: [],
  }))
  const agent = segments[0]?.manifest.agent ?? 'agent'
  const open = {
    version: 1 as const,
    id,
    agent,
    rev: 1,
    state: 'closed' as const,
    labels: [],
    createdAt: from,
  }
  return { ...open, from, to, streams, ...more }
}

export async function putRecording(store: ObjectStore, recording: Recording): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(recording))
  const key = keys.recording(recording.agent, recording.id, recording.rev)
  await store.put(key, bytes, { ...sumOf(bytes), contentType: 'application/json', ifAbsent: true })
}
