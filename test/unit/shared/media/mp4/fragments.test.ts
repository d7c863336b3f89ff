import { describe, expect, test } from 'vitest'
import { appendArchived, planFragments } from '../../../../../shared/media/mp4/fragments.ts'
import { planMovie } from '../../../../../shared/media/mp4/movie.ts'
import { SampleTable } from '../../../../../shared/media/mp4/sample-table.ts'
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
} from '../../../../support/movie-judges.ts'
import { type MovieSource, movieSourceOf, realMovies } from '../../../../support/movie-source.ts'

function tracksOf(source: MovieSource): RawTrack[] {
  return [source.video, ...(source.audio ? [source.audio] : [])].map(({ config, samples }) =>
    rawTrack(config, samples),
  )
}

/** The first picture shown, as a manifest's `from`; and an origin well before it, as of a whole epoch. */
const origins: [string, (source: MovieSource) => number][] = [
  ['its first picture', (source) => Math.min(...source.video.samples.map((sample) => sample.ptsMs))],
  ['an hour before', () => -3_600_000],
]

describe.skipIf(realMovies.length === 0).each(origins)(
  'segments of real recordings, origin %s',
  (_origin, originOf) => {
    test.each(realMovies)('%s: one fragment per GOP, every unit at its time', async (_name, path) => {
      const source = movieSourceOf(path)
      const originMs = originOf(source)
      const tracks = tracksOf(source)
      const plan = planFragments({ tracks, originMs, createdWallMs: 1_763_616_224_000 })
      const bytes = writeFragments(tracks, plan)
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
      for (const packets of [probePackets(bytes, 'a'), await readByMediabunny(bytes, 'audio')]) {
        expect(packets).toHaveLength(source.audio.samples.length)
        for (const [i, packet] of packets.entries()) {
          expect(Math.abs(packet.ptsMs - ((source.audio.samples[i]?.ptsMs ?? 0) - originMs))).toBeLessThan(2)
        }
      }
    })
  },
)

describe.skipIf(realMovies.length === 0)('a segment', () => {
  const path = realMovies.find(([, file]) => file.includes('bbb_prog'))?.[1] ?? ''

  test('each fragment is a byte range that plays behind the init segment', () => {
    const tracks = tracksOf(movieSourceOf(path))
    const plan = planFragments({ tracks, originMs: 0, createdWallMs: 0 })
    const bytes = writeFragments(tracks, plan)
    for (const { offset, sizeBytes, startMs, endMs } of plan.fragments) {
      expect(bytes.toString('latin1', offset + 4, offset + 8)).toBe('moof')
      const alone = Buffer.concat([plan.init, bytes.subarray(offset, offset + sizeBytes)])
      const stamps = probePackets(alone, 'v').map((packet) => packet.ptsMs)
      expect(Math.round(Math.min(...stamps))).toBeGreaterThanOrEqual(startMs)
      expect(Math.round(Math.max(...stamps))).toBeLessThan(endMs)
    }
    expect(bytes.toString('latin1', plan.init.length + 4, plan.init.length + 8)).toBe('moof')
  })

  test('the length of the whole stands in its head', () => {
    const tracks = tracksOf(movieSourceOf(path))
    const plan = planFragments({ tracks, originMs: 0, createdWallMs: 0 })
    const { format } = probeStreams(writeFragments(tracks, plan))
    expect(Math.abs(Number(format.duration) * 1000 - plan.durationMs)).toBeLessThan(100)
  })

  test('that continues in mid-GOP begins with a fragment without access point', () => {
    const { video } = movieSourceOf(path)
    const plan = planFragments({
      tracks: [rawTrack(video.config, video.samples.slice(5))],
      originMs: 0,
      createdWallMs: 0,
    })
    expect(plan.fragments[0]?.sync).toBe(false)
    expect(plan.fragments[1]?.sync).toBe(true)
  })

  test('sound alone is cut every second', () => {
    const { audio } = movieSourceOf(path)
    if (!audio) throw new Error('no sound')
    const tracks = [rawTrack(audio.config, audio.samples)]
    const plan = planFragments({ tracks, originMs: 0, createdWallMs: 0 })
    expect(plan.fragments.length).toBeGreaterThanOrEqual(9)
    expect(plan.fragments.length).toBeLessThanOrEqual(11)
    expect(decodeSound(writeFragments(tracks, plan))).toBe('')
  })

  test('in the archive is read again by an export, byte for byte', () => {
    const source = movieSourceOf(path)
    const tracks = tracksOf(source)
    const options = { tracks, originMs: 0, createdWallMs: 0 }
    const plan = planFragments(options)
    const archive = writeFragments(tracks, plan)
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
  expect(() => planFragments({ tracks: [], originMs: 0, createdWallMs: 0 })).toThrow(
    expect.objectContaining({ kind: 'InvalidArgument' }),
  )
})
