import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AppError } from '../../shared/error.ts'
import { FlvParser, type FlvTag, flvFileHeader, flvTag } from '../../shared/media/flv.ts'
import { parseFlvAudio } from '../../shared/media/flv-audio.ts'
import { parseFlvVideo } from '../../shared/media/flv-video.ts'

const head = flvFileHeader({ video: true, audio: true })

function parse(file: Uint8Array, cuts: readonly number[]): { tags: FlvTag[]; reason: string | undefined } {
  const parser = new FlvParser()
  const tags: FlvTag[] = []
  const places = [0, ...cuts.map((cut) => cut % (file.length + 1)).sort((a, b) => a - b), file.length]
  try {
    for (const [i, at] of places.entries())
      tags.push(...parser.push(file.subarray(at, places[i + 1] ?? file.length)))
    parser.end()
    return { tags, reason: undefined }
  } catch (error) {
    expect(error).toBeInstanceOf(AppError)
    expect(error).toMatchObject({ kind: 'InvalidArgument' })
    return { tags, reason: (error as AppError).message }
  }
}

const plain = ({ tags, reason }: ReturnType<typeof parse>) => ({
  tags: tags.map((tag) => ({ ...tag, body: [...tag.body] })),
  reason,
})

test('any bytes, any split: the same tags and the same reason', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.array(fc.nat()), (bytes, begun, cuts) => {
      const file = begun ? Buffer.concat([head, bytes]) : bytes
      expect(plain(parse(file, cuts))).toEqual(plain(parse(file, [])))
    }),
    { numRuns: 3000 },
  )
})

test('tags → bytes → tags, any split', () => {
  const tag = fc.record({
    kind: fc.constantFrom('audio' as const, 'video' as const, 'script' as const),
    timestampMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    body: fc.uint8Array({ maxLength: 60 }),
  })
  fc.assert(
    fc.property(fc.array(tag, { maxLength: 12 }), fc.array(fc.nat()), (tags, cuts) => {
      const file = Buffer.concat([
        head,
        ...tags.map(({ kind, timestampMs, body }) => flvTag(kind, timestampMs, body)),
      ])
      expect(plain(parse(file, cuts))).toEqual(plain({ tags, reason: undefined }))
    }),
    { numRuns: 1000 },
  )
})

test('any body: a value, or InvalidArgument', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (body) => {
      for (const read of [parseFlvVideo, parseFlvAudio]) {
        try {
          read(body)
        } catch (error) {
          expect(error).toMatchObject({ name: 'AppError', kind: 'InvalidArgument' })
        }
      }
    }),
    { numRuns: 5000 },
  )
})
