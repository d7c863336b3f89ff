/** What a file's packets tell, without decoding one. Times in ms of the file, whose first moment is 0. */
export type MediaFacts = {
  video?: {
    codec: string
    width: number
    height: number
    fromMs: number
    toMs: number
    packets: number
    keysMs: number[]
  }
  audio?: { codec: string; sampleRate: number; fromMs: number; toMs: number; packets: number }
}

type Stream = {
  type: string
  codec: string
  tickMs: number
  words: Map<string, string>
  fromMs: number
  toMs: number
  packets: number
  keysMs: number[]
}

const noTime = '-9223372036854775808' // AV_NOPTS_VALUE: an AVI has no presentation times.
const keyFlag = 1
const discardFlag = 4 // An encoder's delay, or what an edit list hides at either end.

/**
 * Reads the text of FFmpeg's `framecrc` muxer (libavformat/framecrcenc.c):
 *
 *   #tb 0: 1/11456
 *   #media_type 0: video
 *   #codec_id 0: h264
 *   #dimensions 0: 640x360
 *   0, dts, pts, duration, size, crc[, F=flags when not a key frame][, S=…]
 */
export function parsePackets(text: string): MediaFacts {
  const streams = new Map<string, Stream>()
  for (const line of text.split('\n')) {
    const header = /^#(\w+) (\d+): (.*)$/.exec(line)
    if (header) addHeader(streams, header)
    else addPacket(streams, line)
  }
  const facts: MediaFacts = {}
  for (const { type, codec, fromMs, toMs, packets, keysMs, words } of streams.values()) {
    if (packets === 0) continue
    const [width = 0, height = 0] = (words.get('dimensions') ?? '').split('x').map(Number)
    if (type === 'video') facts.video = { codec, width, height, fromMs, toMs, packets, keysMs }
    if (type === 'audio') {
      facts.audio = { codec, sampleRate: Number(words.get('sample_rate') ?? 0), fromMs, toMs, packets }
    }
  }
  return facts
}

function addHeader(streams: Map<string, Stream>, [, name = '', id = '', value = '']: RegExpExecArray): void {
  const fresh = {
    type: '',
    codec: '',
    tickMs: 0,
    words: new Map(),
    fromMs: Infinity,
    toMs: 0,
    packets: 0,
    keysMs: [],
  }
  const stream = streams.get(id) ?? fresh
  streams.set(id, stream)
  if (name === 'media_type') stream.type = value
  else if (name === 'codec_id') stream.codec = value
  else if (name === 'tb') {
    const [ticks, perSecond] = value.split('/').map(Number)
    stream.tickMs = ((ticks ?? 0) * 1000) / (perSecond ?? 1)
  } else stream.words.set(name, value)
}

function addPacket(streams: Map<string, Stream>, line: string): void {
  const fields = line.split(',').map((field) => field.trim())
  const stream = streams.get(fields[0] ?? '')
  if (!stream || fields.length < 6) return
  const at = Number(fields[2] === noTime ? fields[1] : fields[2]) * stream.tickMs
  const flags = Number(fields.find((field) => field.startsWith('F='))?.slice(2) ?? keyFlag)
  stream.packets += 1
  if (flags & keyFlag) stream.keysMs.push(at)
  if (!(flags & discardFlag)) stream.fromMs = Math.min(stream.fromMs, at)
  if (!(flags & discardFlag)) stream.toMs = Math.max(stream.toMs, at + Number(fields[3]) * stream.tickMs)
}
