import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { AudioConfig } from '../../../../shared/media/access-unit.ts'
import { matroskaHead, matroskaUnit } from '../../../../shared/media/matroska-sound.ts'
import {
  adpcmConfig,
  g711Config,
  g726Config,
  g726Layout,
  unitSamples,
} from '../../../../shared/media/sound-config.ts'
import { hasProgram, sharedPath } from '../../../support/shared-data.ts'
import { adpcmUnits, cutUnits, noise, packets, rawSound, toPcm } from '../../../support/sound-units.ts'

const source = noise(8000)

function decoded(config: AudioConfig, units: readonly Uint8Array[]): Int16Array {
  let ms = 0
  const blocks = units.map((unit) => {
    const block = matroskaUnit(config, unit, ms)
    ms += (unitSamples(config, unit) * 1000) / config.sampleRate
    return block
  })
  return toPcm(Buffer.concat([matroskaHead(config), ...blocks]), ['-f', 'matroska'])
}

const bits = [2, 3, 4, 5] as const
const orders = [false, true]

test
  .skipIf(!hasProgram('ffmpeg'))
  .each(bits.flatMap((b) => orders.map((lowFirst) => ({ bits: b, lowFirst }))))(
  'G.726 with codes of $bits bits, the first low: $lowFirst, is what FFmpeg reads of the raw file',
  (layout) => {
    const format = layout.lowFirst ? 'g726le' : 'g726'
    const raw = rawSound(source, 8000, ['-c:a', format, '-b:a', `${layout.bits * 8}k`, '-f', format])
    const config = g726Config(layout)
    const units = cutUnits(raw, layout.bits * 20)
    const judge = toPcm(Buffer.concat(units), [
      '-f',
      format,
      '-code_size',
      String(layout.bits),
      '-ar',
      '8000',
    ])
    expect(units.reduce((sum, unit) => sum + unitSamples(config, unit), 0)).toBe(judge.length)
    expect(decoded(config, units)).toEqual(judge)
  },
)

test.skipIf(!hasProgram('ffmpeg')).each(['g711a', 'g711u'] as const)(
  '%s is what FFmpeg reads of the raw file',
  (codec) => {
    const format = codec === 'g711a' ? 'alaw' : 'mulaw'
    const raw = rawSound(source, 8000, ['-f', format])
    expect(decoded(g711Config(codec), cutUnits(raw, 160))).toEqual(
      toPcm(raw, ['-f', format, '-ar', '8000', '-ac', '1']),
    )
  },
)

test.skipIf(!hasProgram('ffmpeg'))('ADPCM is what was encoded', () => {
  const units = adpcmUnits(source, 320)
  const pcm = decoded(adpcmConfig(), units)
  expect(pcm).toHaveLength(8000)
  let error = 0
  for (const [i, value] of pcm.entries()) error += (value - (source[i] ?? 0)) ** 2
  expect(Math.sqrt(error / pcm.length)).toBeLessThan(800)
})

test.skipIf(!hasProgram('ffmpeg')).each([
  ['opus', 48_000, ['-c:a', 'libopus', '-frame_duration', '20', '-f', 'ogg']],
  ['opus', 48_000, ['-c:a', 'libopus', '-frame_duration', '60', '-f', 'ogg']],
  ['mp3', 44_100, ['-c:a', 'libmp3lame', '-f', 'mp3']],
] as const)('%s at %i Hz: as many samples as are counted', async (codec, sampleRate, args) => {
  const made = await packets(rawSound(noise(sampleRate), sampleRate, args))
  const shape = { sampleRate, channels: 1, frameSamples: codec === 'mp3' ? 1152 : 0 }
  const config: AudioConfig = {
    ...{ track: 'audio', codec, specificConfig: codec === 'opus' ? made.head : new Uint8Array() },
    ...{ ...shape, codecString: codec },
  }
  const counted = made.packets.reduce((sum, packet) => sum + unitSamples(config, packet), 0)
  expect(decoded(config, made.packets)).toHaveLength(counted)
})

const sample = sharedPath('data', 'jt1078', 'jtt1078__in_32.g726')
test.skipIf(!sample || !hasProgram('ffmpeg'))(
  'a vehicle has the first code of G.726 in the high bits: the other order hisses',
  () => {
    const units = cutUnits(readFileSync(sample ?? ''), 160).slice(0, 500)
    const hiss = [false, true].map((lowFirst) => {
      const pcm = [...decoded(g726Config({ bits: 4, lowFirst }), units)]
      // Differences of differences: what is near the end of the telephone's band and above it is left.
      let rest = pcm
      for (let times = 0; times < 16; times += 1)
        rest = rest.map((value, i) => (value - (rest[i - 1] ?? 0)) / 2)
      const power = (samples: readonly number[]) => samples.reduce((sum, value) => sum + value ** 2, 0)
      return power(rest) / power(pcm)
    })
    expect(hiss[0]).toBeLessThan((hiss[1] ?? 0) / 5)
  },
)

test('what is not decoded here is refused', () => {
  const aac: AudioConfig = { ...g711Config('g711a'), codec: 'aac' }
  expect(() => matroskaHead(aac)).toThrow(/aac/)
  expect(() =>
    g726Layout({ ...g726Config({ bits: 4, lowFirst: false }), specificConfig: new Uint8Array() }),
  ).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
})

test('a configuration says its rate and its order', () => {
  expect(g726Config({ bits: 3, lowFirst: true })).toMatchObject({
    codecString: 'g726-24le',
    sampleRate: 8000,
  })
  expect(g726Layout(g726Config({ bits: 5, lowFirst: true }))).toEqual({ bits: 5, lowFirst: true })
})
