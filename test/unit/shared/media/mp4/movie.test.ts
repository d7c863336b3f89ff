import { describe, expect, test } from 'vitest'
import type { AudioConfig, VideoConfig } from '../../../../../shared/media/access-unit.ts'
import { type MovieOptions, planMovie } from '../../../../../shared/media/mp4/movie.ts'
import {
  decodePictures,
  decodeSound,
  probePackets,
  probeStreams,
  type RawTrack,
  rawTrack,
  readByMediabunny,
  writeMovie,
} from '../../../../support/movie-judges.ts'
import { type MovieSource, movieSourceOf, realMovies } from '../../../../support/movie-source.ts'

const wallMs = 1_763_616_224_000

function tracksOf(source: MovieSource): RawTrack[] {
  return [source.video, ...(source.audio ? [source.audio] : [])].map(({ config, samples }) =>
    rawTrack(config, samples),
  )
}

function movie(tracks: readonly RawTrack[], options: Omit<MovieOptions, 'tracks' | 'createdWallMs'>) {
  const plan = planMovie({ tracks, createdWallMs: wallMs, ...options })
  const bytes = writeMovie(tracks, plan)
  expect(bytes.length).toBe(plan.totalBytes)
  return { plan, bytes }
}

const shownFrom = (source: MovieSource, fromMs: number) =>
  source.video.samples
    .map((sample) => sample.ptsMs)
    .filter((ptsMs) => ptsMs >= fromMs)
    .sort((a, b) => a - b)

describe.skipIf(realMovies.length === 0)('real recordings, judged by FFmpeg and mediabunny', () => {
  test.each(realMovies)('%s: every packet at its time, in order, decodable', async (_name, path) => {
    const source = movieSourceOf(path)
    const fromMs = Math.min(...source.video.samples.map((sample) => sample.ptsMs))
    const { bytes } = movie(tracksOf(source), { fromMs })
    const sent = source.video.samples

    const probed = probePackets(bytes, 'v')
    expect(probed.map((packet) => Math.round(packet.ptsMs))).toEqual(
      sent.map((sample) => sample.ptsMs - fromMs),
    )
    expect(probed.map((packet) => packet.key)).toEqual(sent.map((sample) => sample.sync))
    expect(probed.map((packet) => packet.sizeBytes)).toEqual(sent.map((sample) => sample.bytes.length))
    const read = await readByMediabunny(bytes, 'video')
    expect(read.map((packet) => Math.round(packet.ptsMs))).toEqual(
      sent.map((sample) => sample.ptsMs - fromMs),
    )

    const { shownMs, complaints } = decodePictures(bytes)
    expect(complaints).toBe('')
    expect(shownMs).toEqual(shownFrom(source, fromMs).map((ptsMs) => ptsMs - fromMs))
  })

  test.each(realMovies.filter(([, path]) => movieSourceOf(path).audio))(
    '%s: sound where it belongs',
    async (_name, path) => {
      const source = movieSourceOf(path)
      const fromMs = Math.min(...source.video.samples.map((sample) => sample.ptsMs))
      const { bytes } = movie(tracksOf(source), { fromMs })
      const sent = (source.audio?.samples ?? []).filter((sample) => sample.ptsMs >= fromMs)
      expect(decodeSound(bytes)).toBe('')
      for (const packets of [probePackets(bytes, 'a'), await readByMediabunny(bytes, 'audio')]) {
        expect(packets.map((packet) => packet.sizeBytes)).toEqual(sent.map((sample) => sample.bytes.length))
        for (const [i, packet] of packets.entries()) {
          expect(Math.abs(packet.ptsMs - ((sent[i]?.ptsMs ?? 0) - fromMs))).toBeLessThan(2)
        }
      }
    },
  )

  test.each(realMovies)('%s: `from` and `to` anywhere in a GOP', (_name, path) => {
    const source = movieSourceOf(path)
    const all = shownFrom(source, Number.NEGATIVE_INFINITY)
    const tracks = tracksOf(source)
    for (const part of [0.1, 0.37, 0.73]) {
      const fromMs = (all[Math.floor(all.length * part)] ?? 0) - 3
      const { bytes, plan } = movie(tracks, { fromMs })
      const expected = shownFrom(source, fromMs).map((ptsMs) => ptsMs - fromMs)
      const { shownMs, complaints } = decodePictures(bytes)
      expect(complaints).toBe('')
      expect(shownMs).toEqual(expected)
      expect(plan.tracks[0]?.shownFromMs).toBe(fromMs + 3)
    }
    const fromMs = all[2] ?? 0
    const toMs = all[Math.ceil(all.length / 2)] ?? 0
    const { bytes, plan } = movie(tracks, { fromMs, toMs })
    const wanted = all.filter((ptsMs) => ptsMs >= fromMs && ptsMs < toMs).map((ptsMs) => ptsMs - fromMs)
    expect(decodePictures(bytes).shownMs.slice(0, wanted.length)).toEqual(wanted)
    expect(plan.durationMs).toBeLessThanOrEqual(toMs - fromMs)
  })
})

describe.skipIf(realMovies.length === 0)('picture and sound together', () => {
  const path = realMovies.find(([, file]) => file.includes('bbb_prog'))?.[1] ?? ''

  test.each([
    ['later', 700],
    ['earlier', -700],
  ])('sound that begins %s keeps its distance to the picture', (_name, shiftMs) => {
    const source = movieSourceOf(path)
    const audio = source.audio
    if (!audio) throw new Error('no sound')
    const samples = audio.samples.map((sample) => ({
      ...sample,
      dtsMs: sample.dtsMs + shiftMs,
      ptsMs: sample.ptsMs + shiftMs,
    }))
    const fromMs = 1003
    const { bytes } = movie(tracksOf({ ...source, audio: { ...audio, samples } }), { fromMs })
    const shown = samples.filter((sample) => sample.ptsMs >= fromMs)
    const packets = probePackets(bytes, 'a').filter((packet) => !packet.discard)
    expect(Math.abs((packets[0]?.ptsMs ?? 0) - ((shown[0]?.ptsMs ?? 0) - fromMs))).toBeLessThan(1)
    expect(packets.length).toBe(shown.length)
    expect(decodePictures(bytes).shownMs[0]).toBe((shownFrom(source, fromMs)[0] ?? 0) - fromMs)
  })

  test('a track with nothing in the range is left out', () => {
    const source = movieSourceOf(path)
    const audio = source.audio
    if (!audio) throw new Error('no sound')
    const samples = audio.samples.filter((sample) => sample.ptsMs < 1000)
    const { plan, bytes } = movie(tracksOf({ ...source, audio: { ...audio, samples } }), { fromMs: 2000 })
    expect(plan.tracks[1]).toBeUndefined()
    expect(probeStreams(bytes).streams).toHaveLength(1)
  })

  test.each([0, 90, 180, 270] as const)('rotation %i is what FFmpeg reads back', (rotation) => {
    const source = movieSourceOf(path)
    const config: VideoConfig = { ...source.video.config, rotation }
    const { bytes } = movie([rawTrack(config, source.video.samples)], { fromMs: 0 })
    const [stream] = probeStreams(bytes).streams as {
      side_data_list?: { rotation: number }[]
      width: number
    }[]
    // FFmpeg counts counter-clockwise.
    const turned = stream?.side_data_list?.[0]?.rotation ?? 0
    expect((360 - turned) % 360).toBe(rotation)
    expect(stream?.width).toBe(config.width)
  })

  test('the creation time is the wall time of `from`', () => {
    const { bytes } = movie(tracksOf(movieSourceOf(path)), { fromMs: 0 })
    expect(probeStreams(bytes).format.tags).toMatchObject({ creation_time: '2025-11-20T05:23:44.000000Z' })
  })
})

describe('without a recording', () => {
  const video: VideoConfig = {
    track: 'video',
    codec: 'h264',
    parameterSets: [
      Buffer.from('6742c01ed900a0475b016a02020280000003008000001e478b1750', 'hex'),
      Buffer.from('68cb83cb20', 'hex'),
    ],
    width: 640,
    height: 480,
    codecString: 'avc1.42c01e',
    reorderDepth: 0,
    rotation: 0,
  }
  const g711: AudioConfig = {
    track: 'audio',
    codec: 'g711a',
    specificConfig: new Uint8Array(0),
    sampleRate: 8000,
    channels: 1,
    frameSamples: 0,
    codecString: 'alaw',
  }
  const picture = (dtsMs: number, ptsMs = dtsMs, sync = true) => ({
    dtsMs,
    ptsMs,
    sync,
    bytes: Buffer.from('0000000165880000000165aabb', 'hex'),
  })
  const frame = (ptsMs: number, bytes = 320) => ({
    dtsMs: ptsMs,
    ptsMs,
    sync: true,
    bytes: Buffer.alloc(bytes, 0xd5),
  })

  test('equal stamps, and stamps that stand still and jump, keep every picture', async () => {
    const stamps = [0, 0, 5, 5, 5, 4000, 4001]
    const { bytes } = movie(
      [
        rawTrack(
          video,
          stamps.map((ms) => picture(ms)),
        ),
      ],
      { fromMs: 0, lastDurationMs: 40 },
    )
    const read = await readByMediabunny(bytes, 'video')
    expect(read.map((packet) => Math.round(packet.ptsMs))).toEqual(stamps)
  })

  test('a negative composition offset moves all DTS, no PTS', async () => {
    const stamps: [number, number][] = [
      [0, 0],
      [40, 120],
      [80, 40],
      [120, 80],
    ]
    const { bytes } = movie(
      [
        rawTrack(
          video,
          stamps.map(([dts, pts]) => picture(dts, pts)),
        ),
      ],
      { fromMs: -100 },
    )
    const read = await readByMediabunny(bytes, 'video')
    expect(read.map((packet) => Math.round(packet.ptsMs))).toEqual([100, 220, 140, 180])
  })

  test('a picture before its access point (open GOP) brings the access point before', () => {
    const samples = [picture(0, 40), picture(40, 80, false), picture(80, 200), picture(120, 160, false)]
    const { plan } = movie([rawTrack(video, samples)], { fromMs: 150 })
    expect(plan.tracks[0]).toMatchObject({ samples: 4, shownFromMs: 160, startMs: 40 })
  })

  test('a range that begins in the middle of a GOP that is not there begins where it can', () => {
    const { plan } = movie([rawTrack(video, [picture(0, 0, false), picture(40, 40, false)])], { fromMs: 30 })
    expect(plan.tracks[0]).toMatchObject({ samples: 2, shownFromMs: 40 })
  })

  test('G.711: lengths from the bytes, a hole in the sound is a hole in the file', () => {
    const samples = [frame(0), frame(40), frame(80), frame(1080)]
    const { plan, bytes } = movie([rawTrack(g711, samples)], { fromMs: 0 })
    expect(plan.tracks[0]).toMatchObject({ reanchored: 1, shownToMs: 1120 })
    expect(probePackets(bytes, 'a').map((packet) => Math.round(packet.ptsMs))).toEqual([0, 40, 80, 1080])
  })

  test('millisecond stamps of sound are counted in samples, also when they jitter by less than a frame', () => {
    const stamps = [0, 40, 81, 119, 161, 200]
    const { plan, bytes } = movie(
      [
        rawTrack(
          g711,
          stamps.map((ms) => frame(ms)),
        ),
      ],
      { fromMs: 0 },
    )
    expect(plan.tracks[0]?.reanchored).toBe(0)
    expect(probePackets(bytes, 'a').map((packet) => packet.ptsMs)).toEqual([0, 40, 80, 120, 160, 200])
  })

  test('the start codes of every slice become lengths', () => {
    const { bytes, plan } = movie([rawTrack(video, [picture(0)])], { fromMs: 0 })
    expect(bytes.subarray(plan.header.length).toString('hex')).toBe('0000000265880000000365aabb')
  })

  test.each([
    ['nothing in the range', [picture(0)], 10],
    ['no sample', [], 0],
  ])('refuses %s', (_name, samples, fromMs) => {
    expect(() => movie([rawTrack(video, samples)], { fromMs })).toThrow(
      expect.objectContaining({ kind: 'InvalidArgument' }),
    )
  })

  test('refuses a codec that our files do not hold', () => {
    expect(() => movie([rawTrack({ ...g711, codec: 'opus' }, [frame(0)])], { fromMs: 0 })).toThrow(/opus/)
    expect(() => movie([rawTrack({ ...video, codec: 'av1' }, [picture(0)])], { fromMs: 0 })).toThrow(/av1/)
  })
})
