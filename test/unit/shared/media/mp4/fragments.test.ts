import { describe, expect, test } from 'vitest'
import { planFragments } from '../../../../../shared/media/mp4/fragments.ts'
import { planMovie } from '../../../../../shared/media/mp4/movie.ts'
import { SampleTable } from '../../../../../shared/media/mp4/sample-table.ts'
import { appendArchived, planSegment } from '../../../../../shared/media/mp4/segment.ts'
import {
  decodePictures,
  decodeSound,
  probePackets,
  probeStreams,
  type RawTrack,
  rawTrack,
  readByMediabunny,
  writeFragments,
  writeMovie,
  writeSegment,
} from '../../../../support/movie-judges.ts'
import { type MovieSource, movieSourceOf, realMovies } from '../../../../support/movie-source.ts'

function tracksOf(source: MovieSource): RawTrack[] {
  return [source.video, ...(source.audio ? [source.audio] : [])].map(({ config, samples }) =>
    rawTrack(config, samples),
  )
}

const firstShown = (source: MovieSource) => Math.min(...source.video.samples.map((sample) => sample.ptsMs))

/** The first picture shown, as a manifest's `from`; with the media time of a whole epoch; and an origin before it. */
const origins: [string, (source: MovieSource) => number, number | undefined][] = [
  ['its first picture', firstShown, undefined],
  ['its first picture, media time from an hour before', firstShown, -3_600_000],
  ['its first picture, media time from 20 days before', firstShown, -20 * 86_400_000],
  ['an hour before', () => -3_600_000, undefined],
]

describe.skipIf(realMovies.length === 0).each(origins)(
  'segments of real recordings, origin %s',
  (_origin, originOf, baseMs) => {
    test.each(realMovies)('%s: one fragment per GOP, every unit at its time', async (_name, path) => {
      const source = movieSourceOf(path)
      const originMs = originOf(source)
      const tracks = tracksOf(source)
      const base = baseMs !== undefined && { baseMs }
      const plan = planSegment({ tracks, originMs, createdWallMs: 1_763_616_224_000, ...base })
      expect(plan.continuous).toBe(baseMs !== undefined)
      const bytes = writeSegment(tracks, plan)
      const sent = source.video.samples

      expect(bytes.length).toBe(plan.totalBytes)
      expect(plan.fragments).toHaveLength(sent.filter((sample) => sample.sync).length)
      expect(plan.fragments.every((fragment) => fragment.sync)).toBe(true)

      const probed = probePackets(bytes, 'v')
      expect(probed.map((packet) => Math.round(packet.ptsMs))).toEqual(
        sent.map((sample) => sample.ptsMs - originMs),
      )
      expect(probed.map((packet) => Math.round(packet.dtsMs))).toEqual(
        sent.map((sample) => sample.dtsMs - originMs),
      )
      expect(probed.map((packet) => packet.key)).toEqual(sent.map((sample) => sample.sync))
      const read = await readByMediabunny(bytes, 'video')
      expect(read.map((packet) => Math.round(packet.ptsMs))).toEqual(
        sent.map((sample) => sample.ptsMs - originMs),
      )
      expect(decodePictures(bytes).complaints).toBe('')

      if (!source.audio) return
      expect(decodeSound(bytes)).toBe('')
      const sounds = source.audio.samples.filter((sample) => sample.ptsMs >= originMs)
      for (const packets of [probePackets(bytes, 'a'), await readByMediabunny(bytes, 'audio')]) {
        expect(packets).toHaveLength(sounds.length)
        for (const [i, packet] of packets.entries())
          expect(Math.abs(packet.ptsMs - ((sounds[i]?.ptsMs ?? 0) - originMs))).toBeLessThan(2)
      }
    })
  },
)

describe.skipIf(realMovies.length === 0)('a segment', () => {
  const path = realMovies.find(([, file]) => file.includes('bbb_prog'))?.[1] ?? ''

  test('each fragment is a byte range that plays behind the init segment', () => {
    const tracks = tracksOf(movieSourceOf(path))
    const plan = planFragments({ tracks, createdWallMs: 0 })
    const bytes = writeFragments(tracks, plan.fragments)
    expect(bytes.length).toBe(plan.mediaBytes)
    let pictures = 0
    for (const { offset, sizeBytes } of plan.fragments) {
      expect(bytes.toString('latin1', offset + 4, offset + 8)).toBe('moof')
      const alone = Buffer.concat([plan.init, bytes.subarray(offset, offset + sizeBytes)])
      const packets = probePackets(alone, 'v')
      expect(packets[0]?.key).toBe(true)
      pictures += packets.length
    }
    expect(pictures).toBe(tracks[0]?.samples.length)
  })

  test('played through its map has the times of its epoch', () => {
    const sent = movieSourceOf(path)
    const tracks = tracksOf(sent)
    const baseMs = -7_200_000
    const plan = planSegment({ tracks, originMs: 0, baseMs, createdWallMs: 0 })
    const bytes = writeSegment(tracks, plan)
    const map = bytes.subarray(plan.map.offset, plan.map.offset + plan.map.sizeBytes)
    const media = Buffer.concat([map, bytes.subarray(plan.header.length)])
    expect(probePackets(media, 'v').map(({ ptsMs }) => Math.round(ptsMs))).toEqual(
      sent.video.samples.map(({ ptsMs }) => ptsMs - baseMs),
    )
    const sound = probePackets(media, 'a')[0]?.ptsMs ?? 0
    expect(Math.abs(sound - ((sent.audio?.samples[0]?.ptsMs ?? 0) - baseMs))).toBeLessThan(2)
    expect(decodePictures(media).complaints).toBe('')
  })

  test.each([
    ['behind its first picture', 40_000],
    ['of another age', -400 * 86_400_000],
  ])('with a beginning of media time %s begins by itself', (_name, baseMs) => {
    const tracks = tracksOf(movieSourceOf(path))
    expect(planFragments({ tracks, baseMs, createdWallMs: 0 }).continuous).toBe(false)
  })

  test('has the length of what it shows, sound and picture alike', () => {
    const source = movieSourceOf(path)
    const tracks = tracksOf(source)
    const originMs = firstShown(source)
    const plan = planSegment({ tracks, originMs, baseMs: -7_200_000, createdWallMs: 0 })
    const { format, streams } = probeStreams(writeSegment(tracks, plan))
    expect(Math.abs(Number(format.duration) * 1000 - plan.durationMs)).toBeLessThan(50)
    for (const stream of streams) expect(Math.abs(Number(stream.start_time))).toBeLessThan(0.05)
  })

  test('that continues in mid-GOP begins with a fragment without access point', () => {
    const { video } = movieSourceOf(path)
    const plan = planFragments({
      tracks: [rawTrack(video.config, video.samples.slice(5))],
      createdWallMs: 0,
    })
    expect(plan.fragments[0]?.sync).toBe(false)
    expect(plan.fragments[1]?.sync).toBe(true)
  })

  test('sound alone is cut every second', () => {
    const { audio } = movieSourceOf(path)
    if (!audio) throw new Error('no sound')
    const tracks = [rawTrack(audio.config, audio.samples)]
    const plan = planSegment({ tracks, originMs: 0, createdWallMs: 0 })
    expect(plan.fragments.length).toBeGreaterThanOrEqual(9)
    expect(plan.fragments.length).toBeLessThanOrEqual(11)
    expect(decodeSound(writeSegment(tracks, plan))).toBe('')
  })

  test('in the archive is read again by an export, byte for byte', () => {
    const source = movieSourceOf(path)
    const tracks = tracksOf(source)
    const options = { tracks, originMs: 0, createdWallMs: 0 }
    const archive = writeSegment(tracks, planSegment(options))
    const archived = tracks.map((track, i): RawTrack => {
      const samples = new SampleTable()
      appendArchived(samples, options, { track: i, source: 0 })
      return { config: track.config, samples, file: archive }
    })
    const fromRaw = writeMovie(tracks, planMovie({ tracks, fromMs: 1234, createdWallMs: 0 }))
    const fromArchive = writeMovie(archived, planMovie({ tracks: archived, fromMs: 1234, createdWallMs: 0 }))
    expect(fromArchive.equals(fromRaw)).toBe(true)

    const rest = new SampleTable()
    appendArchived(rest, options, { track: 0, source: 0, omit: (sample) => sample < 3 })
    expect(rest.ptsMs(0)).toBe(tracks[0]?.samples.ptsMs(3))
    expect(rest.runs[0]?.offset).toBeGreaterThan(archived[0]?.samples.runs[0]?.offset ?? 0)
  })
})

test('a segment without a unit is refused', () => {
  expect(() => planSegment({ tracks: [], originMs: 0, createdWallMs: 0 })).toThrow(
    expect.objectContaining({ kind: 'InvalidArgument' }),
  )
})
