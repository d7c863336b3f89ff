import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny'
import { adtsHeader } from '../../shared/media/aac.ts'
import type { CodecConfig } from '../../shared/media/access-unit.ts'
import type { Fragment } from '../../shared/media/mp4/fragment.ts'
import type { MoviePlan, MovieTrack } from '../../shared/media/mp4/movie.ts'
import { type MovieRead, toMovieBytes } from '../../shared/media/mp4/reads.ts'
import { SampleTable } from '../../shared/media/mp4/sample-table.ts'
import type { SegmentPlan } from '../../shared/media/mp4/segment.ts'
import type { SourceSample } from './movie-source.ts'

/** A track together with its raw file, as the ring writes it. */
export type RawTrack = MovieTrack & { file: Buffer }

/** Lays samples out as the ring does: parameter sets in front of pictures, an ADTS header before each frame. */
export function rawTrack(config: CodecConfig, samples: readonly SourceSample[]): RawTrack {
  const table = new SampleTable()
  const isAac = config.track === 'audio' && config.codec === 'aac'
  table.from(0, config.track === 'video' ? 'annexb' : isAac ? 'adts' : 'raw')
  const head =
    config.track === 'video' ? config.parameterSets.flatMap((set) => [Buffer.of(0, 0, 0, 1), set]) : []
  const parts: Uint8Array[] = [...head]
  let offset = parts.reduce((sum, part) => sum + part.length, 0)
  for (const { bytes, dtsMs, ptsMs, sync } of samples) {
    const whole = isAac ? Buffer.concat([adtsHeader(config, bytes.length), bytes]) : bytes
    table.push({ dtsMs, ptsMs, sync, sizeBytes: whole.length, offset })
    parts.push(whole)
    offset += whole.length
  }
  return { config, samples: table, file: Buffer.concat(parts) }
}

function readBytes(tracks: readonly RawTrack[], read: MovieRead): Uint8Array {
  const track = tracks[read.track]
  if (!track) throw new Error(`no track ${read.track}`)
  const bytes = Buffer.from(track.file.subarray(read.offset, read.offset + read.sizeBytes))
  return toMovieBytes(track.samples, read, bytes, { check: true })
}

export function writeMovie(tracks: readonly RawTrack[], plan: MoviePlan): Buffer {
  return Buffer.concat([plan.header, ...[...plan.reads()].map((read) => readBytes(tracks, read))])
}

export function writeFragments(tracks: readonly RawTrack[], fragments: readonly Fragment[]): Buffer {
  return Buffer.concat(
    fragments.flatMap((fragment) => [
      fragment.header,
      ...fragment.reads.map((read) => readBytes(tracks, read)),
    ]),
  )
}

export function writeSegment(tracks: readonly RawTrack[], plan: SegmentPlan): Buffer {
  return Buffer.concat([plan.header, writeFragments(tracks, plan.fragments)])
}

export type JudgedPacket = { ptsMs: number; dtsMs: number; sizeBytes: number; key: boolean; discard: boolean }

function withFile<T>(bytes: Uint8Array, work: (path: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'edgereel-mp4-'))
  try {
    const path = join(directory, 'movie.mp4')
    writeFileSync(path, bytes)
    return work(path)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Every packet of a stream (`v`, `a`) as ffprobe sees it. */
export function probePackets(bytes: Uint8Array, stream: 'v' | 'a'): JudgedPacket[] {
  const entries = 'packet=pts_time,dts_time,size,flags'
  const text = withFile(bytes, (path) =>
    execFileSync(
      'ffprobe',
      ['-v', 'error', '-select_streams', stream, '-show_entries', entries, '-of', 'json', path],
      {
        maxBuffer: 2 ** 28,
      },
    ).toString(),
  )
  const { packets } = JSON.parse(text) as { packets: Record<string, string>[] }
  return packets.map((packet) => ({
    ptsMs: Number(packet.pts_time) * 1000,
    dtsMs: Number(packet.dts_time) * 1000,
    sizeBytes: Number(packet.size),
    key: packet.flags?.includes('K') ?? false,
    discard: packet.flags?.includes('D') ?? false,
  }))
}

export function probeStreams(bytes: Uint8Array): {
  streams: Record<string, unknown>[]
  format: Record<string, unknown>
} {
  return withFile(bytes, (path) =>
    JSON.parse(
      execFileSync('ffprobe', [
        '-v',
        'error',
        '-show_streams',
        '-show_format',
        '-of',
        'json',
        path,
      ]).toString(),
    ),
  )
}

/** Decodes everything; times of the pictures that FFmpeg would show, and what it complained about. */
export function decodePictures(bytes: Uint8Array): { shownMs: number[]; complaints: string } {
  return withFile(bytes, (path) => {
    const args = ['-v', 'error', '-err_detect', 'explode', '-i', path, '-an', '-vsync', 'passthrough']
    const { stdout, stderr } = spawnSync(
      'ffmpeg',
      [...args, '-copyts', '-f', 'framecrc', '-enc_time_base', '1:1000', '-'],
      { maxBuffer: 2 ** 28 },
    )
    const shownMs = stdout
      .toString()
      .split('\n')
      .filter((line) => /^\d/.test(line))
      .map((line) => Number(line.split(',')[2]))
    return { shownMs, complaints: stderr.toString() }
  })
}

export function decodeSound(bytes: Uint8Array): string {
  return withFile(bytes, (path) =>
    spawnSync('ffmpeg', [
      '-v',
      'error',
      '-err_detect',
      'explode',
      '-i',
      path,
      '-vn',
      '-f',
      'null',
      '-',
    ]).stderr.toString(),
  )
}

/** Every packet in decoding order, as mediabunny reads it. */
export async function readByMediabunny(
  bytes: Uint8Array,
  track: 'video' | 'audio',
): Promise<{ ptsMs: number; key: boolean; sizeBytes: number }[]> {
  using input = new Input({ formats: ALL_FORMATS, source: new BufferSource(bytes) })
  const found = track === 'video' ? await input.getPrimaryVideoTrack() : await input.getPrimaryAudioTrack()
  if (!found) throw new Error(`mediabunny finds no ${track}`)
  const packets = []
  for await (const packet of new EncodedPacketSink(found).packets()) {
    packets.push({ ptsMs: packet.timestamp * 1000, key: packet.type === 'key', sizeBytes: packet.byteLength })
  }
  return packets
}
