import { flvTagType } from '../../shared/media/flv.ts'
import { flvCarries } from '../../shared/media/flv-audio.ts'
import { chunked, chunkedBytes, type OutMessage, writeMessage } from '../protocol/rtmp/chunk-writer.ts'
import { mediaStreamId } from '../protocol/rtmp/server-session.ts'
import type { Packing, Tag } from './packing.ts'

function message({ kind, timestampMs, parts }: Tag): OutMessage {
  return { type: flvTagType[kind], streamId: mediaStreamId, timestampMs, parts }
}

/** RTMP messages: the numbers of their types are those of FLV tags. Players take all sound that RTMP can carry. */
export function packingOf(message: (tag: Tag) => OutMessage): Packing {
  return {
    plays: (config) => flvCarries(config.codec),
    tagBytes: (tag) => chunkedBytes(message(tag)),
    write: (into, tag) => writeMessage(into, message(tag)),
    pack: (tags) => Buffer.concat(tags.map((tag) => chunked(message(tag)))),
  }
}

export const rtmpPacking = packingOf(message)
