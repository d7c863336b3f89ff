import { expect, test } from 'vitest'
import { runExport } from '../../../../cloud/jobs/export.ts'
import { checkExport } from '../../../../cloud/jobs/export-check.ts'
import { exportMessage, parseMessage } from '../../../../cloud/jobs/messages.ts'
import { getRecording } from '../../../../cloud/rows/recording.ts'
import type { AudioConfig } from '../../../../shared/media/access-unit.ts'
import { adpcmConfig, g711Config, g726Config, unitSamples } from '../../../../shared/media/sound-config.ts'
import { openJobsRig } from '../../../support/jobs-rig.ts'
import { probePackets, probeStreams } from '../../../support/movie-judges.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
} from '../../../support/segment-fixture.ts'
import { hasProgram } from '../../../support/shared-data.ts'
import {
  adpcmUnits,
  cutUnits,
  heard,
  noise,
  offsetOf,
  packets,
  rawSound,
  soundUnit,
} from '../../../support/sound-units.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

const wallMs = Date.UTC(2026, 2, 1, 11)
const secondsOfSound = 6
const source = noise(8000 * secondsOfSound)

type Made = { config: AudioConfig; units: Uint8Array[]; rate: number; pcm: Int16Array }

const g711 = (codec: 'g711a' | 'g711u') => (): Made => {
  const format = codec === 'g711a' ? 'alaw' : 'mulaw'
  const units = cutUnits(rawSound(source, 8000, ['-f', format]), 320)
  return { config: g711Config(codec), units, rate: 8000, pcm: source }
}
const g726 = (bits: 2 | 3 | 4 | 5, lowFirst: boolean) => (): Made => {
  const format = lowFirst ? 'g726le' : 'g726'
  const bytes = rawSound(source, 8000, ['-c:a', format, '-b:a', `${bits * 8}k`, '-f', format])
  return {
    config: g726Config({ bits, lowFirst }),
    units: cutUnits(bytes, bits * 40),
    rate: 8000,
    pcm: source,
  }
}
const adpcm = (): Made => ({
  ...{ config: adpcmConfig(), units: adpcmUnits(source, 320), rate: 8000, pcm: source },
})
const packed = async (codec: 'opus' | 'mp3'): Promise<Made> => {
  const rate = codec === 'opus' ? 48_000 : 44_100
  const pcm = noise(rate * secondsOfSound)
  const args = codec === 'opus' ? ['-c:a', 'libopus', '-f', 'ogg'] : ['-c:a', 'libmp3lame', '-f', 'mp3']
  const made = await packets(rawSound(pcm, rate, args))
  const base = { track: 'audio', codec, sampleRate: rate, channels: 1, codecString: codec } as const
  const frameSamples = codec === 'opus' ? 0 : 1152
  return {
    config: { ...base, frameSamples, specificConfig: codec === 'opus' ? made.head : new Uint8Array() },
    units: made.packets,
    ...{ rate, pcm },
  }
}

const sources: [string, () => Made | Promise<Made>, { delayMs: number }][] = [
  ['G.711 A-law', g711('g711a'), { delayMs: 0 }],
  ['G.711 µ-law', g711('g711u'), { delayMs: 0 }],
  ['G.726, 16 kbit/s', g726(2, false), { delayMs: 0 }],
  ['G.726, 24 kbit/s', g726(3, false), { delayMs: 0 }],
  ['G.726, 32 kbit/s', g726(4, false), { delayMs: 0 }],
  ['G.726, 40 kbit/s', g726(5, false), { delayMs: 0 }],
  ['G.726, low bits first', g726(3, true), { delayMs: 0 }],
  ['ADPCM', adpcm, { delayMs: 0 }],
  // Their encoders are ahead of their stamps by so much.
  ['Opus', () => packed('opus'), { delayMs: 6.5 }],
  ['MP3', () => packed('mp3'), { delayMs: 25 }],
]

/** Pictures for 8 s; the sound begins 137 ms after the first and pauses for a second after three. */
const soundFromMs = 1137
const pauseAfterMs = 3000
const pauseMs = 1003

function sealed({ config, units, rate }: Made) {
  let before = 0
  const sound = units.map((bytes) => {
    const ms = (before * 1000) / rate
    before += unitSamples(config, bytes)
    const late = ms >= pauseAfterMs ? pauseMs : 0
    return soundUnit(config, bytes, soundFromMs + Math.round(ms) + late)
  })
  const pictures = Array.from({ length: 80 }, (_, n) => syntheticPicture(n, { startMs: 1000 }))
  const all = [...sound, ...pictures].sort((a, b) => a.dtsMs - b.dtsMs)
  const cut = all.findIndex(({ dtsMs, idr }) => idr && dtsMs >= 3000)
  const halves = [all.slice(0, cut), all.slice(cut)]
  return halves.map((half, i) =>
    sealSegment({
      ...{ agent: 'lab', stream: 'cam', epoch: 1, seq: i + 1, units: half.map(unitOf) },
      ...{ video: syntheticVideo, audio: config, wallOffsetMs: wallMs },
    }),
  )
}

async function exported(made: Made, find?: () => Promise<string | undefined>) {
  const rig = await openJobsRig(
    find && {
      export: async (body, ports, signal) => {
        const message = parseMessage(exportMessage, body)
        if (message.kind === 'check') await checkExport(message, ports)
        else await runExport(message.task, ports, signal, find)
      },
    },
  )
  const segments = sealed(made)
  for (const segment of segments) await putSegment(rig.ports.store, segment)
  const range = { from: wallMs + 1000, to: wallMs + 9000 }
  await putRecording(rig.ports.store, recordingOf('take', segments, range))
  expect(await rig.drain()).toEqual([])
  const rows = await getRecording(rig.ports.catalogue, 'take')
  const files = rows?.meta.files ?? []
  const movie = await rig.read(files[0]?.key ?? '')
  return { rig, files, movie }
}

test.skipIf(!hasProgram('ffmpeg')).each(sources)(
  '%s comes out as AAC, at its true times to the millisecond',
  async (_name, make, { delayMs }) => {
    const made = await make()
    const { rig, files, movie } = await exported(made)
    await using _ = rig
    expect(files[0]).toMatchObject({ codec: 'avc1.42c01e, mp4a.40.2', units: 80 })
    expect(probePackets(movie, 'v')[0]?.ptsMs).toBe(0)
    const { rate, pcm } = made
    const sound = heard(movie, rate)
    const samples = (ms: number) => Math.round((ms * rate) / 1000)
    const places = [
      { sourceMs: 100, movieMs: 237 },
      { sourceMs: 2500, movieMs: 2637 },
      { sourceMs: 3300, movieMs: 3437 + pauseMs },
      { sourceMs: 5500, movieMs: 5637 + pauseMs },
    ]
    for (const { sourceMs, movieMs } of places) {
      const at = { from: samples(sourceMs), length: samples(200), at: samples(movieMs), reach: samples(40) }
      const lag = offsetOf(pcm, sound, at)
      expect(Math.abs(((lag ?? Number.NaN) * 1000) / rate - delayMs)).toBeLessThanOrEqual(1)
    }
    const quiet = sound.subarray(
      samples(137 + pauseAfterMs + 200),
      samples(137 + pauseAfterMs + pauseMs - 200),
    )
    expect(Math.max(...quiet.map(Math.abs))).toBeLessThan(50)
    // The pause has no frames: it is not filled with made-up silence.
    const times = probePackets(movie, 'a').map(({ ptsMs }) => ptsMs)
    const steps = times.map((ms, i) => ms - (times[i - 1] ?? ms))
    expect(Math.max(...steps)).toBeGreaterThan(500)
  },
)

test.skipIf(!hasProgram('ffmpeg'))('sound that goes up to the end of the range ends there', async () => {
  const { rig, movie } = await exported(g711('g711a')())
  await using _ = rig
  const { streams } = probeStreams(movie)
  const sound = streams.find(({ codec_type: type }) => type === 'audio')
  expect(Number(sound?.start_time) * 1000).toBeCloseTo(137, 0)
  expect(sound).toMatchObject({ codec_name: 'aac', sample_rate: '8000', channels: 1 })
})

test('without FFmpeg G.711 stays what it is, and other sound is left out; the file says so', async () => {
  const none = async () => undefined
  const first = await exported({ ...g711Silence(), rate: 8000, pcm: source }, none)
  await using _first = first.rig
  expect(first.files[0]).toMatchObject({
    codec: 'avc1.42c01e, g711a',
    soundNote: 'FFmpeg was not found: the sound is g711a as it came.',
  })
  const second = await exported(adpcm(), none)
  await using _second = second.rig
  expect(second.files[0]).toMatchObject({
    codec: 'avc1.42c01e',
    soundNote: 'FFmpeg was not found: the sound (adpcm) is left out.',
  })
})

test('FFmpeg that ends at once: the pictures go on, and the file says what became of the sound', async () => {
  const { rig, files } = await exported(adpcm(), async () => '/bin/false')
  await using _ = rig
  expect(files[0]).toMatchObject({
    codec: 'avc1.42c01e',
    soundNote: 'FFmpeg could not convert the sound: the sound (adpcm) is left out.',
  })
})

function g711Silence(): Pick<Made, 'config' | 'units'> {
  return {
    config: g711Config('g711a'),
    units: Array.from({ length: 150 }, () => new Uint8Array(320).fill(0xd5)),
  }
}
