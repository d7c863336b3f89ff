import { expect, test } from 'vitest'
import { partBytes, partsOf } from '../../../../cloud/aws/s3-parts.ts'
import { multipartBytes } from '../../../../shared/cloud-limits.ts'

const contentType = 'video/mp4'
async function sizes(chunks: number[], sizeBytes: number): Promise<number[]> {
  const body = (async function* () {
    for (const size of chunks) yield Buffer.alloc(size)
  })()
  const made: number[] = []
  for await (const part of partsOf(body, { sizeBytes, contentType })) made.push(part.length)
  return made
}

test('parts are full but the last, whatever the chunks are', async () => {
  const size = 2 * multipartBytes + 5
  expect(await sizes([size], size)).toEqual([multipartBytes, multipartBytes, 5])
  expect(await sizes([1, multipartBytes, multipartBytes - 1, 0, 5], size)).toEqual([
    multipartBytes,
    multipartBytes,
    5,
  ])
  expect(await sizes([multipartBytes], multipartBytes)).toEqual([multipartBytes])
  expect(await sizes([], 0)).toEqual([0])
})

test('parts grow where 10,000 of the usual size would not be enough', () => {
  expect(partBytes(1)).toBe(multipartBytes)
  const tebibytes = 2 * 1024 ** 4
  expect(Math.ceil(tebibytes / partBytes(tebibytes))).toBeLessThanOrEqual(10_000)
})

test('a chunk that its giver fills again does not change a part', async () => {
  const chunk = Buffer.alloc(4)
  const body = (async function* () {
    for (const value of [1, 2]) yield chunk.fill(value)
  })()
  const parts: Buffer[] = []
  for await (const part of partsOf(body, { sizeBytes: 8, contentType })) parts.push(part)
  expect(Buffer.concat(parts)).toEqual(Buffer.from([1, 1, 1, 1, 2, 2, 2, 2]))
})
