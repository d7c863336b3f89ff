import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { keys, type Manifest, manifest, type SegmentId, soundFiles } from '../../shared/contract/segment.ts'
import { audioConfigOf, videoConfigOf } from '../../shared/contract/segment-header.ts'
import { AppError } from '../../shared/error.ts'
import { indexBytesMax, jsonBodyBytesMax } from '../../shared/limits.ts'
import type { CodecConfig } from '../../shared/media/access-unit.ts'
import { type ParsedIndex, parseIndex } from '../../shared/media/index.ts'
import type { Framing } from '../../shared/media/mp4/sample-table.ts'
import type { ObjectStore } from '../ports.ts'
import type { RangeReader } from './range-reader.ts'

/** A whole object, at most `max` bytes. */
export async function readObject(store: ObjectStore, key: string, max: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of await store.get(key)) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > max) throw new AppError('InvalidArgument', `${key} has more than ${max} bytes.`)
  }
  return Buffer.concat(chunks)
}

/** `NotFound`, or `InvalidArgument` when it is no manifest or that of another segment. */
export async function readManifest(store: ObjectStore, id: SegmentId): Promise<Manifest> {
  const key = keys.raw(id, 'json')
  const bytes = await readObject(store, key, jsonBodyBytesMax)
  let parsed: Manifest
  try {
    parsed = manifest.parse(JSON.parse(bytes.toString()))
  } catch (cause) {
    throw new AppError('InvalidArgument', `${key} is not a manifest.`, { cause })
  }
  const isSame =
    parsed.agent === id.agent &&
    parsed.stream === id.stream &&
    parsed.epoch === id.epoch &&
    parsed.seq === id.seq
  if (!isSame) throw new AppError('InvalidArgument', `${key} is the manifest of another segment.`)
  return parsed
}

/** The index, compared with its checksum in the manifest. */
export async function readIndex(store: ObjectStore, of: Manifest): Promise<ParsedIndex> {
  const key = keys.raw(of, 'idx')
  const bytes = await readObject(store, key, indexBytesMax)
  if (createHash('sha256').update(bytes).digest('hex') !== of.index.sha256) {
    throw new AppError('DataLoss', `${key} does not have the checksum of its manifest.`)
  }
  return parseIndex(bytes)
}

/** A track of a segment: its raw file, how its units lie in there, and what a decoder must know. */
export type RawTrack = {
  track: 'video' | 'audio'
  key: string
  framing: Framing
  config: CodecConfig
  sizeBytes: number
  sha256: string
}

/** Video first. Sound of a codec that the ring does not write is left out. */
export function rawTracks(of: Manifest, { header }: ParsedIndex): RawTrack[] {
  const tracks: RawTrack[] = []
  if (of.video && header.video) {
    const config = videoConfigOf(header.video)
    const key = keys.raw(of, of.video.codec)
    tracks.push({ track: 'video', key, framing: 'annexb', config, ...of.video.file })
  }
  const audioFile = soundFiles.find((ext) => ext === of.audio?.codec)
  if (of.audio && audioFile && header.audio) {
    const config = audioConfigOf(header.audio)
    const framing = audioFile === 'aac' ? 'adts' : 'raw'
    tracks.push({ track: 'audio', key: keys.raw(of, audioFile), framing, config, ...of.audio.file })
  }
  return tracks
}

/**
 * The records of a track whose bytes are not there or do not match their checksum. The reader goes through
 * the file once, in order.
 */
export async function findDamaged(
  reader: RangeReader,
  { records }: ParsedIndex,
  { track, sizeBytes }: RawTrack,
): Promise<Set<number>> {
  const damaged = new Set<number>()
  for (let i = 0; i < records.length; i += 1) {
    if (records.kind(i) === 'gap' || records.isVideo(i) !== (track === 'video')) continue
    const offset = records.offset(i)
    const size = records.sizeBytes(i)
    const whole = offset + size <= sizeBytes && crc32(await reader.read(offset, size)) === records.crc(i)
    if (!whole) damaged.add(i)
  }
  return damaged
}
