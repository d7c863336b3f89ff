import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SoundTimes } from '../../agent/play/sound-times.ts'
import { decodeImaAdpcm } from '../../shared/media/ima-adpcm.ts'
import { matroskaHead, matroskaUnit } from '../../shared/media/matroska-sound.ts'
import { opusSamples } from '../../shared/media/opus.ts'
import { PcmCanvas } from '../../shared/media/pcm-canvas.ts'
import { adpcmConfig, g711Config, g726Config, unitSamples } from '../../shared/media/sound-config.ts'

const bytes = fc.uint8Array({ maxLength: 2000 })
const bits = fc.constantFrom(2 as const, 3 as const, 4 as const, 5 as const)
const config = fc.oneof(
  fc.constantFrom(g711Config('g711a'), g711Config('g711u'), adpcmConfig()),
  fc.record({ bits, lowFirst: fc.boolean() }).map((layout) => g726Config(layout)),
)

test('any unit of any codec becomes a block that holds it, and a number of samples', () => {
  fc.assert(
    fc.property(config, bytes, fc.nat(2 ** 40), (of, unit, ms) => {
      expect(matroskaHead(of).length).toBeLessThan(400)
      const block = matroskaUnit(of, unit, ms)
      expect(block.length).toBeLessThanOrEqual(unit.length * 4 + 64)
      const samples = unitSamples(of, unit)
      expect(samples).toBeGreaterThanOrEqual(0)
      expect(samples).toBeLessThanOrEqual(unit.length * 4)
    }),
  )
})

test('any bytes are ADPCM of as many samples as are counted', () => {
  fc.assert(
    fc.property(bytes, (unit) => {
      expect(decodeImaAdpcm(unit)).toHaveLength(unitSamples(adpcmConfig(), unit) * 2)
      expect(opusSamples(unit)).toBeLessThanOrEqual(5760)
    }),
  )
})

const units = fc.array(fc.tuple(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 1, max: 1000 })))

test('whatever the stamps, sound on the canvas is in order, within its range, and none lies over another', () => {
  fc.assert(
    fc.property(units, fc.nat(5000), fc.nat(8000), (stamps, fromMs, lengthMs) => {
      const canvas = new PcmCanvas({ fromMs, toMs: fromMs + lengthMs, rate: 8000 })
      let at: number | undefined
      for (const [ms, samples] of stamps) {
        const placed = canvas.place(ms, samples)
        expect(placed.skip + placed.samples).toBeLessThanOrEqual(samples)
        expect(Math.min(placed.silence, placed.skip, placed.samples)).toBeGreaterThanOrEqual(0)
        at ??= canvas.sounding[0]?.from
        if (at !== undefined) at += placed.silence + placed.samples
      }
      let end = 0
      for (const range of canvas.sounding) {
        expect(range.from).toBeGreaterThanOrEqual(end)
        expect(range.to).toBeGreaterThan(range.from)
        end = range.to
      }
      expect(end).toBeLessThanOrEqual(lengthMs * 8)
      expect(at ?? end).toBe(end)
    }),
  )
})

test('whatever goes in, times of frames never step back', () => {
  fc.assert(
    fc.property(units, (stamps) => {
      const times = new SoundTimes(8000)
      const got: number[] = []
      let frame = -1
      for (const [ptsMs, samples] of stamps) {
        times.took({ ptsMs, arrivalMs: ptsMs, epoch: 0, timeSource: 'device' }, samples)
        const time = times.timeOf(frame * 0.032, (frame + 1) * 0.032)
        if (time) got.push(time.ptsMs)
        frame += 1
      }
      expect(got).toEqual(got.toSorted((a, b) => a - b))
    }),
  )
})
