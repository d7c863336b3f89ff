import type { CodecConfig } from '../../shared/media/access-unit.ts'
import { type FlvTagKind, flvFileHeader, flvTagBytes, writeFlvTag } from '../../shared/media/flv.ts'
import { type Framing, framed, framings } from './framing.ts'
import { rtmpPacking } from './rtmp.ts'

/** A message of live FLV: over HTTP and WebSocket an FLV tag, over RTMP a message of the same body. */
export type Tag = { kind: FlvTagKind; timestampMs: number; parts: readonly Uint8Array[] }

/** How tags become the bytes that all viewers of a transport are sent. */
export type Packing = {
  plays(config: CodecConfig): boolean
  tagBytes(tag: Tag): number
  /** `into` has `tagBytes(tag)` bytes. */
  write(into: Buffer, tag: Tag): void
  /** Tags that go to some viewers only; with the file header of a stream that has these tracks, if the transport has one. */
  pack(tags: readonly Tag[], tracks?: { video: boolean; audio: boolean }): Uint8Array
}

export type Transport = 'http' | 'ws' | 'rtmp'

/** Browsers play nothing at all of an FLV whose sound they do not know. */
export function playsInBrowsers(config: CodecConfig): boolean {
  return config.track === 'video' || config.codec === 'aac'
}

function flvPacking(framing: Framing): Packing {
  return {
    plays: playsInBrowsers,
    tagBytes: (tag) => {
      const sizeBytes = flvTagBytes(tag.parts)
      return framing.headBytes(sizeBytes) + sizeBytes + framing.tailBytes
    },
    write: (into, tag) => {
      const sizeBytes = flvTagBytes(tag.parts)
      framing.write(into, sizeBytes)
      writeFlvTag(into, framing.headBytes(sizeBytes), tag)
    },
    pack: (tags, tracks) => {
      const header = tracks ? [flvFileHeader(tracks)] : []
      return framed(framing, Buffer.concat([...header, ...tags.map(tagBytes)]))
    },
  }
}

function tagBytes(tag: Tag): Uint8Array {
  const bytes = new Uint8Array(flvTagBytes(tag.parts))
  writeFlvTag(bytes, 0, tag)
  return bytes
}

export const packings: Record<Transport, Packing> = {
  http: flvPacking(framings.http),
  ws: flvPacking(framings.ws),
  rtmp: rtmpPacking,
}
