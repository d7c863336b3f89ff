import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AppError } from '../../shared/error.ts'
import { adtsHeader, parseAudioSpecificConfig, splitAdts } from '../../shared/media/aac.ts'
import { splitAccessUnits, VideoUnitParser } from '../../shared/media/access-unit-parser.ts'
import { encodeAvcC, encodeHvcC, parseAvcC, parseHvcC, videoConfig } from '../../shared/media/codec-config.ts'
import { parseH264Pps } from '../../shared/media/h264-pps.ts'
import { parseH264Sps } from '../../shared/media/h264-sps.ts'
import { parseH265Sps } from '../../shared/media/h265-sps.ts'
import { joinAnnexB, joinLengthPrefixed, splitAnnexB, splitLengthPrefixed } from '../../shared/media/nal.ts'
import { presentationOrder } from '../../shared/media/picture-order.ts'
import { DecodeTimes } from '../../shared/media/reorder.ts'
import { hasRecoveryPoint } from '../../shared/media/sei.ts'
import { Timeline } from '../../shared/media/timeline.ts'
import { hex } from '../support/hex.ts'

/** A value or an AppError; anything else fails the test. */
function valueOrRefusal<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    expect(error).toBeInstanceOf(AppError)
    return undefined
  }
}

const seeds = [
  '6764001facd9405005bb0110000003001000000303c0f1831960',
  '2742e01f8d8d302c12e38707c3e8',
  '6742e01595982c4e40',
  '68ebe3cb22c0',
  '28de0988',
  '42010102200000030090000003000003003ca009880b1dc8d96564924caf016808000003000800000300c840',
  '40010c01ffff02200000030090000003000003003c959009',
  '4401c172b46240',
  '65b8a8aa',
  '41e2a8aa',
  '060601c080',
  '121056e500',
  '0142e015ffe100096742e01595982c4e40010004 68ce3880',
].map(hex)

/** A real NAL unit with some of its bytes changed, or cut: what damage looks like. */
const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }),
    fc.option(fc.nat(60), { nil: undefined }),
  )
  .map(([seed, changes, cut]) => {
    const bytes = Uint8Array.from(seed)
    for (const [at, value] of changes) bytes[at % bytes.length] = value
    return cut === undefined ? bytes : bytes.subarray(0, cut)
  })
const zeros = fc
  .array(fc.constantFrom(0, 0, 0, 1, 3, 0x67, 0x68, 0x65, 0xff), { maxLength: 80 })
  .map((list) => Uint8Array.from(list))
const anyBytes = fc.oneof(mutated, zeros, fc.uint8Array({ maxLength: 200 }))

test('any bytes: each parser gives a value or an AppError', () => {
  const parsers = [
    parseH264Sps,
    parseH264Pps,
    parseH265Sps,
    parseAvcC,
    parseHvcC,
    parseAudioSpecificConfig,
    splitAdts,
    splitAnnexB,
    (bytes: Uint8Array) => splitLengthPrefixed(bytes, 1),
    (bytes: Uint8Array) => splitLengthPrefixed(bytes, 2),
    splitLengthPrefixed,
    hasRecoveryPoint,
  ]
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      for (const parse of parsers) valueOrRefusal(() => parse(bytes))
    }),
    { numRuns: 5000 },
  )
})

test('a size that is read can be shown: never absurd, never negative', () => {
  fc.assert(
    fc.property(mutated, (bytes) => {
      for (const parse of [parseH264Sps, parseH265Sps]) {
        const sps = valueOrRefusal(() => parse(bytes))
        if (!sps) continue
        expect(sps.width).toBeGreaterThan(0)
        expect(Math.max(sps.width, sps.height)).toBeLessThanOrEqual(16_896)
      }
    }),
    { numRuns: 5000 },
  )
})

test('any messages to the unit parser: a picture, nothing or an AppError, and every kept byte is the source’s', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('h264' as const, 'h265' as const),
      fc.array(fc.array(anyBytes, { maxLength: 5 }), { maxLength: 6 }),
      (codec, messages) => {
        const parser = new VideoUnitParser(codec)
        for (const nalUnits of messages) {
          const message = joinAnnexB(nalUnits)
          const picture = valueOrRefusal(() => parser.parse(message))
          if (!picture) continue
          expect(picture.sizeBytes).toBe(joinAnnexB(picture.nalUnits).length)
          expect(picture.config.reorderDepth).toBeLessThanOrEqual(16)
          valueOrRefusal(() => (codec === 'h264' ? encodeAvcC(picture.config) : encodeHvcC(picture.config)))
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('any stream is cut into views that follow each other', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('h264' as const, 'h265' as const),
      fc.array(anyBytes, { maxLength: 12 }),
      (codec, nalUnits) => {
        const file = joinAnnexB(nalUnits)
        const units = valueOrRefusal(() => splitAccessUnits(file, codec)) ?? []
        let end = units[0]?.byteOffset ?? 0
        for (const unit of units) {
          expect(unit.byteOffset).toBe(end)
          expect(unit.length).toBeGreaterThan(3)
          end += unit.length
        }
        if (units.length > 0) expect(end).toBe(file.length)
      },
    ),
    { numRuns: 2000 },
  )
})

test('any pictures have an order that is a permutation', () => {
  const config = videoConfig({ codec: 'h264', parameterSets: [seeds[0] ?? hex(''), hex('68ebe3cb22c0')] })
  fc.assert(
    fc.property(fc.array(fc.array(anyBytes, { maxLength: 3 }), { maxLength: 20 }), (pictures) => {
      const order = presentationOrder(
        pictures.map((nalUnits) => ({ nalUnits })),
        config,
      )
      expect(order.toSorted((a, b) => a - b)).toEqual(pictures.map((_, at) => at))
    }),
    { numRuns: 1000 },
  )
})

// What an encoder can write: no start code inside, no zero at the end.
const nalUnit = fc
  .uint8Array({ minLength: 1, maxLength: 60 })
  .map((bytes) => Uint8Array.of(...bytes.map((byte) => byte || 1), 0x80))
const nalUnitList = fc.array(nalUnit, { maxLength: 10 })

test('round trips: Annex B and lengths', () => {
  fc.assert(
    fc.property(nalUnitList, (nalUnits) => {
      expect(splitAnnexB(joinAnnexB(nalUnits))).toEqual(nalUnits)
      expect(splitLengthPrefixed(joinLengthPrefixed(nalUnits))).toEqual(nalUnits)
    }),
  )
})

test('round trip: ADTS', () => {
  const config = parseAudioSpecificConfig(hex('1210'))
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 10 }), (frames) => {
      const bytes = Buffer.concat(frames.flatMap((frame) => [adtsHeader(config, frame.length), frame]))
      expect(splitAdts(Uint8Array.from(bytes)).frames).toEqual(frames)
    }),
  )
})

test('any stamps: decode times never step back and never pass their picture', () => {
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.array(fc.integer({ min: -5000, max: 5000 }), { maxLength: 100 }),
      (depth, stamps) => {
        const times = new DecodeTimes(depth)
        let last = Number.NEGATIVE_INFINITY
        for (const stamp of stamps) {
          const { dtsMs, ptsMs, clamped } = times.next(stamp)
          expect(dtsMs).toBeLessThanOrEqual(ptsMs)
          expect(dtsMs).toBeGreaterThanOrEqual(last)
          expect(ptsMs === stamp || clamped).toBe(true)
          last = dtsMs
        }
      },
    ),
  )
})

test('any stamps: the timeline is made of integers, and epochs do not overlap', () => {
  const stamp = fc.oneof(fc.double(), fc.integer({ min: 0, max: 100_000 }), fc.constant(777))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(stamp, fc.nat(5000)), { maxLength: 200 }),
      fc.boolean(),
      (stamps, wraps) => {
        const timeline = new Timeline({ wallMs: 1_763_600_000_000, monotonicMs: 0 })
        let arrivalMs = 0
        let latest = Number.NEGATIVE_INFINITY
        for (const [deviceMs, step] of stamps) {
          arrivalMs += step
          const time = timeline.map({ deviceMs, arrivalMs, ...(wraps ? { wrapBits: 32 as const } : {}) })
          expect(Number.isSafeInteger(time.ptsMs)).toBe(true)
          if (time.epochStarted) expect(time.ptsMs).toBeGreaterThan(latest)
          latest = Math.max(latest, time.ptsMs)
        }
      },
    ),
    { numRuns: 1000 },
  )
})
