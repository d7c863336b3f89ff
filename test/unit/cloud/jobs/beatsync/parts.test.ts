import { expect, test } from 'vitest'
import { containerOf } from '../../../../../cloud/jobs/beatsync/container.ts'
import { cutOf } from '../../../../../cloud/jobs/beatsync/cut.ts'
import { endMoovAt } from '../../../../../cloud/jobs/beatsync/end-at.ts'
import { correlate, Fft } from '../../../../../cloud/jobs/beatsync/fft.ts'
import { parsePackets } from '../../../../../cloud/jobs/beatsync/packets.ts'
import { levelsOf, silentHeadMs, tailCutMs } from '../../../../../cloud/jobs/beatsync/silence.ts'
import { joined, silence, song } from '../../../../support/songs.ts'

test('one line of a spectrum is one wave', () => {
  const fft = new Fft(16)
  const re = Float32Array.from({ length: 16 }, (_, i) => Math.cos((2 * Math.PI * 3 * i) / 16))
  fft.forward(re, new Float32Array(16))
  expect([...re].map((value) => Math.round(value) + 0)).toEqual([
    0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0,
  ])
})

test.each([16, 64, 16_384, 32_768])('a correlation of %i points is the sum that it stands for', (size) => {
  const first = song(1, 1).subarray(0, size / 2)
  const second = song(2, 1).subarray(0, size / 2)
  const lag = correlate(new Fft(size), first, second)
  const plain = (k: number) => second.reduce((sum, value, t) => sum + value * (first[t + k] ?? 0), 0)
  for (const k of [0, 1, -1, 5, -7]) expect(lag(k)).toBeCloseTo(plain(k), 2)
})

test.each([
  ['an MP4', '0000001c6674797069736f6d', 'mov'],
  ['a QuickTime that begins with its media', '00000020 77696465 00000000', 'mov'],
  ['an AVI', '52494646 10000000 41564920', 'avi'],
  ['a WAVE', '52494646 10000000 57415645', 'wav'],
  ['a Matroska', '1a45dfa3 a3 4282 88 6d6174726f736b61', 'matroska'],
  ['a WebM', '1a45dfa3 9f 4282 84 7765626d', 'matroska'],
  ['an Ogg', '4f676753 00', 'ogg'],
  ['a FLAC', '664c6143 00', 'flac'],
  ['an MP3 with a tag', '494433 04', 'mp3'],
  ['an MP3', 'fffb9064', 'mp3'],
  ['ADTS', 'fff15080', 'aac'],
  ['an EBML of something else', '1a45dfa3 9f 4282 84 78787878', undefined],
  ['a playlist', Buffer.from('#EXTM3U\nhttp://a/').toString('hex'), undefined],
  ['a list of files', Buffer.from("ffconcat version 1.0\nfile 'x'").toString('hex'), undefined],
  ['an SVG', Buffer.from('<svg xmlns=').toString('hex'), undefined],
  ['nothing', '', undefined],
])('the first bytes of %s', (_name, hex, container) => {
  expect(containerOf(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toBe(container)
})

test('packets: times of the first and last, key frames, what an edit list hides', () => {
  const facts = parsePackets(
    [
      '#tb 0: 1/1000',
      '#media_type 0: video',
      '#codec_id 0: h264',
      '#dimensions 0: 640x360',
      '#tb 1: 1/8000',
      '#media_type 1: audio',
      '#codec_id 1: aac',
      '#sample_rate 1: 8000',
      '0, -40, -80, 40, 9, 0x1, F=0x5',
      '0, 0, 0, 40, 9, 0x1, F=0x0',
      '1, -1024, -1024, 1024, 9, 0x1, F=0x5, S=1, 10',
      '1, 0, 0, 1024, 9, 0x1',
      '0, 40, 120, 40, 9, 0x1',
      '0, 80, -9223372036854775808, 40, 9, 0x1, F=0x0',
      'nonsense',
    ].join('\n'),
  )
  expect(facts.video).toEqual({
    codec: 'h264',
    width: 640,
    height: 360,
    fromMs: 0,
    toMs: 160,
    packets: 4,
    keysMs: [-80, 120],
  })
  expect(facts.audio).toEqual({ codec: 'aac', sampleRate: 8000, fromMs: 0, toMs: 128, packets: 2 })
})

const rate = 8000
const loud = song(1, 20)

test('a silent head is what comes before the first 100 ms that are not silent', () => {
  expect(silentHeadMs(levelsOf(loud, rate))).toBe(0)
  const head = silentHeadMs(levelsOf(joined(silence(1.5), loud), rate))
  expect(head).toBeGreaterThanOrEqual(1400)
  expect(head).toBeLessThanOrEqual(1500)
  expect(silentHeadMs(levelsOf(silence(2), rate))).toBe(2000)
})

test.each([
  ['no silence', 0, 1, undefined],
  ['a second of silence is a pause', 1, 1, undefined],
  ['two of the last three seconds are silent', 2, 1, 20_100],
  ['two and a half are faint', 2.5, 0.02, 20_100],
])('the tail: %s', (_name, seconds, level, cutMs) => {
  const tail =
    level === 1
      ? silence(seconds)
      : song(3, 3)
          .subarray(0, seconds * rate)
          .map((v) => v * level * 3)
  const cut = tailCutMs(levelsOf(joined(loud, tail), rate))
  if (cutMs === undefined) expect(cut).toBeUndefined()
  else expect(Math.abs((cut ?? 0) - cutMs)).toBeLessThanOrEqual(250)
})

const heard = (dance: Float32Array, bgm: Float32Array, offsetMs: number) => ({
  dance,
  bgm,
  rate,
  pictures: { fromMs: 0, toMs: (dance.length * 1000) / rate + 66 },
  alignment: { offsetMs, score: 100, driftPpm: 0 },
})

test('v2 also cuts what is silent in the video alone; modular does not', () => {
  const of = heard(joined(silence(4), loud.subarray(4 * rate)), loud, 0)
  expect(cutOf(of, 'modular')).toEqual({ fromMs: 0, toMs: 20_000 })
  expect(cutOf(of, 'v2').fromMs).toBeGreaterThanOrEqual(3900)
  expect(cutOf(heard(silence(20), loud, 0), 'v2')).toEqual({ fromMs: 0, toMs: 20_000 })
})

test('the result is where both are', () => {
  expect(cutOf(heard(loud, loud, -5000), 'modular')).toEqual({ fromMs: 0, toMs: 15_000 })
  expect(cutOf(heard(loud, loud.subarray(0, 8 * rate), 5000), 'modular')).toEqual({
    fromMs: 5000,
    toMs: 13_000,
  })
  expect(() => cutOf(heard(loud, loud, 19_800), 'modular')).toThrow(/half a second/)
})

test('a movie ends where it is told: of two edits the second is shortened', () => {
  const box = (type: string, ...content: (Buffer | number)[]) => {
    const body = Buffer.concat(content.map((of) => (typeof of === 'number' ? u32(of) : of)))
    return Buffer.concat([u32(body.length + 8), Buffer.from(type), body])
  }
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return bytes
  }
  const moovWith = (movie: number, track: number, edits: [number, number][]) =>
    box(
      'moov',
      box('mvhd', 0, 0, 0, 1000, movie),
      box(
        'trak',
        box('tkhd', 0, 0, 0, 1, 0, track),
        box('edts', box('elst', 0, edits.length, ...edits.flatMap(([length, at]) => [length, at, 65_536]))),
      ),
    )
  const moov = moovWith(5000, 5000, [
    [500, -1],
    [4500, 80],
  ])
  endMoovAt(moov, 2000)
  expect(moov).toEqual(
    moovWith(2000, 2000, [
      [500, -1],
      [1500, 80],
    ]),
  )
  expect(() => endMoovAt(Buffer.concat([moov, Buffer.alloc(8)]), 100)).toThrow(/not whole/)
})
