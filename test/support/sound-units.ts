import { execFileSync } from 'node:child_process'
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from 'mediabunny'
import type { AccessUnit, AudioConfig } from '../../shared/media/access-unit.ts'

/** Sound that can be found again: each sample is pseudo-random, and smooth enough for an encoder of speech. */
export function noise(samples: number, seed = 1): Int16Array {
  const pcm = new Int16Array(samples)
  let state = seed
  let low = 0
  for (let i = 0; i < samples; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    low += (state / 2 ** 31 - 1 - low) * 0.4
    // Louder and softer, so that no two places are alike.
    pcm[i] = Math.round(low * 9000 * (1 + Math.sin(i / 700)))
  }
  return pcm
}

function bytesOf(pcm: Int16Array): Buffer {
  return Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength)
}

function ffmpeg(input: Uint8Array, args: readonly string[]): Buffer {
  return execFileSync('ffmpeg', ['-v', 'fatal', '-bitexact', ...args, 'pipe:1'], {
    input,
    maxBuffer: 2 ** 28,
  })
}

/** 16-bit PCM through one of FFmpeg's raw formats. */
export function rawSound(pcm: Int16Array, rate: number, args: readonly string[]): Buffer {
  return ffmpeg(bytesOf(pcm), ['-f', 's16le', '-ar', String(rate), '-ac', '1', '-i', 'pipe:0', ...args])
}

export function toPcm(bytes: Uint8Array, args: readonly string[]): Int16Array {
  const pcm = ffmpeg(bytes, [...args, '-i', 'pipe:0', '-f', 's16le'])
  return new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.length))
}

/** Packets of Opus or MP3, as an encoder sends them. */
export async function packets(container: Uint8Array): Promise<{ packets: Uint8Array[]; head: Uint8Array }> {
  using input = new Input({ formats: ALL_FORMATS, source: new BufferSource(container) })
  const track = await input.getPrimaryAudioTrack()
  if (!track) throw new Error('no sound')
  const found: Uint8Array[] = []
  for await (const packet of new EncodedPacketSink(track).packets()) found.push(packet.data)
  const { description } = (await track.getDecoderConfig()) ?? {}
  const head =
    description instanceof Uint8Array ? description : new Uint8Array((description as ArrayBuffer) ?? 0)
  return { packets: found, head }
}

/** The sound of an MP4 on its own clock, silence where there is none. */
export function heard(movie: Uint8Array, rate: number): Int16Array {
  const filter = 'aresample=async=1:first_pts=0:min_hard_comp=0.0005'
  const args = [
    '-copyts',
    '-i',
    'pipe:0',
    '-vn',
    '-af',
    filter,
    '-ac',
    '1',
    '-ar',
    String(rate),
    '-f',
    's16le',
  ]
  return new Int16Array(Uint8Array.from(ffmpeg(movie, args)).buffer)
}

/** By how many samples `part` of `source` comes later in `sound` than at `at`; undefined when it is not there. */
export function offsetOf(
  source: Int16Array,
  sound: Int16Array,
  { from, length, at, reach = 400 }: { from: number; length: number; at: number; reach?: number },
): number | undefined {
  let best = { score: 0, lag: 0 }
  for (let lag = -reach; lag <= reach; lag += 1) {
    let dot = 0
    let own = 0
    let other = 0
    for (let i = 0; i < length; i += 1) {
      const a = source[from + i] ?? 0
      const b = sound[at + lag + i] ?? 0
      dot += a * b
      own += a * a
      other += b * b
    }
    const score = dot / Math.sqrt(own * other || 1)
    if (score > best.score) best = { score, lag }
  }
  return best.score > 0.6 ? best.lag : undefined
}

/** The units of a stream of sound, cut into equal pieces. */
export function cutUnits(bytes: Uint8Array, sizeBytes: number): Uint8Array[] {
  return Array.from({ length: Math.floor(bytes.length / sizeBytes) }, (_, i) =>
    Uint8Array.from(bytes.subarray(i * sizeBytes, (i + 1) * sizeBytes)),
  )
}

/** IMA ADPCM with a state in each unit of `samples`, as `ima-adpcm.ts` reads it. */
export function adpcmUnits(pcm: Int16Array, samples: number): Uint8Array[] {
  const steps = Array.from({ length: 89 }, (_, i) => Math.min(32_767, Math.floor(stepOf(i))))
  const changes = [-1, -1, -1, -1, 2, 4, 6, 8]
  let predictor = 0
  let index = 0
  return Array.from({ length: Math.floor(pcm.length / samples) }, (_, n) => {
    const unit = Buffer.alloc(4 + samples / 2)
    unit.writeInt16LE(predictor)
    unit[2] = index
    for (let i = 0; i < samples; i += 1) {
      const step = steps[index] ?? 7
      let rest = (pcm[n * samples + i] ?? 0) - predictor
      const sign = rest < 0 ? 8 : 0
      rest = Math.abs(rest)
      let code = 0
      let change = step >> 3
      for (const [bit, part] of [
        [4, step],
        [2, step >> 1],
        [1, step >> 2],
      ] as const) {
        if (rest < part) continue
        code |= bit
        rest -= part
        change += part
      }
      predictor = Math.max(-32_768, Math.min(32_767, sign ? predictor - change : predictor + change))
      index = Math.max(0, Math.min(88, index + (changes[code] ?? 0)))
      const at = 4 + (i >> 1)
      unit[at] = (unit[at] ?? 0) | ((sign | code) << (i % 2 === 0 ? 4 : 0))
    }
    return Uint8Array.from(unit)
  })
}

// The table of the decoder, read once: an encoder that had another would be found out by FFmpeg's.
const table = [
  ...[
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88,
  ],
  ...[97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658],
  ...[724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660],
  ...[4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818],
  ...[18500, 20350, 22385, 24623, 27086, 29794, 32767],
]
const stepOf = (i: number) => table[i] ?? 7

export function soundUnit(
  config: AudioConfig,
  bytes: Uint8Array,
  ms: number,
  more: Partial<AccessUnit> = {},
): AccessUnit {
  return {
    ...{ track: 'audio', config, nalUnits: [bytes], sizeBytes: bytes.length, randomAccess: true, idr: false },
    ...{ dtsMs: ms, ptsMs: ms, arrivalMs: ms, epoch: 0, timeSource: 'device' },
    ...more,
  }
}
