import { expect, test } from 'vitest'
import { adtsHeader } from '../../../../shared/media/aac.ts'
import { aacBitRate, aacLcConfig, aacRate, silentAacFrame } from '../../../../shared/media/aac-encoding.ts'
import { opusSamples } from '../../../../shared/media/opus.ts'
import { hex } from '../../../support/hex.ts'
import { hasProgram } from '../../../support/shared-data.ts'
import { toPcm } from '../../../support/sound-units.ts'

test.each([
  [8000, 1, '1588'],
  [32_000, 1, '1288'],
  [44_100, 2, '1210'],
] as const)('AAC-LC at %i Hz, %i channels', (sampleRate, channels, text) => {
  const config = aacLcConfig({ sampleRate, channels })
  expect(config).toMatchObject({ sampleRate, channels, frameSamples: 1024, codecString: 'mp4a.40.2' })
  expect(Buffer.from(config.specificConfig).toString('hex')).toBe(text)
})

test.skipIf(!hasProgram('ffmpeg')).each([1, 2] as const)(
  'a silent frame of %i channels is decoded to silence',
  (channels) => {
    const config = aacLcConfig({ sampleRate: 32_000, channels })
    const frame = silentAacFrame(channels)
    const stream = Buffer.concat(
      Array.from({ length: 5 }, () => [adtsHeader(config, frame.length), frame]).flat(),
    )
    const pcm = toPcm(stream, ['-f', 'aac'])
    expect(pcm).toHaveLength(5 * 1024 * channels)
    expect(pcm.every((value) => value === 0)).toBe(true)
  },
)

test('sound keeps its rate where AAC has it', () => {
  expect([8000, 44_100, 11_111].map((sampleRate) => aacRate({ sampleRate }))).toEqual([8000, 44_100, 48_000])
  expect(aacBitRate({ sampleRate: 8000, channels: 1 })).toBe(32_000)
  expect(aacBitRate({ sampleRate: 48_000, channels: 2 })).toBe(128_000)
})

// RFC 6716, 3.1 and 3.2.
test.each([
  ['SILK 10 ms', '00', 480],
  ['SILK 60 ms', '18', 2880],
  ['hybrid 20 ms', '68', 960],
  ['CELT 2.5 ms', '80', 120],
  ['CELT 20 ms, stereo', 'fc', 960],
  ['two frames', 'f9', 1920],
  ['two frames of two sizes', 'fa 00', 1920],
  ['as many as it says: three', 'fb 03', 2880],
  ['longer than 120 ms', '1b 03', 0],
  ['none', '', 0],
])('an Opus packet: %s', (_name, text, samples) => {
  expect(opusSamples(hex(text))).toBe(samples)
})
