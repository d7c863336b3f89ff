import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { VideoConfig } from '../../shared/media/access-unit.ts'
import { planMovie } from '../../shared/media/mp4/movie.ts'
import { planSegment } from '../../shared/media/mp4/segment.ts'
import { rawTrack, readByMediabunny, writeMovie, writeSegment } from '../support/movie-judges.ts'

const config: VideoConfig = {
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

const picture = fc.record({
  step: fc.oneof(fc.constant(0), fc.nat(100), fc.nat(100_000)),
  composition: fc.integer({ min: -500, max: 500 }),
  sync: fc.boolean(),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
})

// A decoder is not asked here, so the pictures may be any bytes; mediabunny reads the times back.
test('any stamps, either form: every picture at exactly its time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(picture, { minLength: 1, maxLength: 40 }),
      fc.nat(),
      async (pictures, origin) => {
        let dtsMs = 1_763_616_224_000
        const samples = pictures.map(({ step, composition, sync, bytes }, i) => {
          dtsMs += step
          const nal = bytes.map((byte) => byte | 1)
          return {
            dtsMs,
            ptsMs: dtsMs + composition,
            sync: sync || i === 0,
            bytes: Buffer.concat([Buffer.of(0, 0, 0, 1), nal]),
          }
        })
        const fromMs = Math.min(...samples.map((sample) => sample.ptsMs)) - (origin % 2000)
        const expected = samples.map((sample) => sample.ptsMs - fromMs)
        const tracks = [rawTrack(config, samples)]
        const movie = writeMovie(tracks, planMovie({ tracks, fromMs, createdWallMs: 0 }))
        const segment = writeSegment(tracks, planSegment({ tracks, originMs: fromMs, createdWallMs: 0 }))
        for (const file of [movie, segment]) {
          const read = await readByMediabunny(file, 'video')
          expect(read.map((packet) => Math.round(packet.ptsMs))).toEqual(expected)
          expect(read.map((packet) => packet.key)).toEqual(samples.map((sample) => sample.sync))
        }
      },
    ),
    { numRuns: 200 },
  )
})
