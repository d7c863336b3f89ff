import { describe, expect, test } from 'vitest'
import { ChunkReader } from '../../../../../agent/protocol/rtmp/chunk-reader.ts'
import { chunked, chunkedBytes, writeMessage } from '../../../../../agent/protocol/rtmp/chunk-writer.ts'
import type { RtmpMessage } from '../../../../../agent/protocol/rtmp/message.ts'
import { rtmpMessageBytesMax } from '../../../../../shared/limits.ts'
import { hex } from '../../../../support/hex.ts'

function read(...pieces: Uint8Array[]): RtmpMessage[] {
  const reader = new ChunkReader()
  const messages: RtmpMessage[] = []
  for (const piece of pieces) reader.push(piece, (message) => messages.push(message))
  return messages
}
const shown = (messages: readonly RtmpMessage[]) =>
  messages.map(
    ({ type, streamId, timestampMs, payload }) =>
      `${type} ${streamId} ${timestampMs} ${Buffer.from(payload).toString('hex')}`,
  )
const pad = (bytes: number) => '5a'.repeat(bytes)

describe('headers', () => {
  test.each([
    ['format 0', '04 000010 000003 08 01000000 aabbcc', ['8 1 16 aabbcc']],
    ['chunk stream of two bytes, 64 + 5', '00 05 000010 000001 09 01000000 aa', ['9 1 16 aa']],
    ['chunk stream of three bytes, 64 + 5 + 256', '01 05 01 000010 000001 09 01000000 aa', ['9 1 16 aa']],
    [
      'two and three bytes that mean one chunk stream',
      '00 05 000010 000001 09 01000000 aa  81 05 00 000020 bb',
      ['9 1 16 aa', '9 1 48 bb'],
    ],
    ['format 1', '04 000010 000001 08 01000000 aa 44 000005 000002 09 bbcc', ['8 1 16 aa', '9 1 21 bbcc']],
    ['format 2', '04 000010 000001 08 01000000 aa 84 000005 bb', ['8 1 16 aa', '8 1 21 bb']],
    [
      'format 3 steps as the one before',
      '04 000010 000001 08 01000000 aa 84 000005 bb c4 cc c4 dd',
      ['8 1 16 aa', '8 1 21 bb', '8 1 26 cc', '8 1 31 dd'],
    ],
    [
      'format 3 behind format 0: a small time is the step',
      '04 000017 000001 08 01000000 aa c4 bb',
      ['8 1 23 aa', '8 1 46 bb'],
    ],
    [
      'format 3 behind format 0: a large one is none',
      '04 0f4240 000001 08 01000000 aa c4 bb',
      ['8 1 1000000 aa', '8 1 1000000 bb'],
    ],
    [
      'a control stream that begins with format 1',
      '42 000000 000006 04 000300000001',
      ['4 0 0 000300000001'],
    ],
    [
      'a message of no bytes',
      '04 000010 000000 08 01000000 04 000011 000001 08 01000000 aa',
      ['8 1 16 ', '8 1 17 aa'],
    ],
    ['time 0xfffffe', '04 fffffe 000001 08 01000000 aa', ['8 1 16777214 aa']],
    ['time 0xffffff, extended', '04 ffffff 000001 08 01000000 00ffffff aa', ['8 1 16777215 aa']],
    ['time 0x1000000, extended', '04 ffffff 000001 08 01000000 01000000 aa', ['8 1 16777216 aa']],
    [
      'an extended step',
      '04 ffffff 000001 08 01000000 fffffff0 aa 84 ffffff 01000000 bb',
      ['8 1 4294967280 aa', '8 1 16777200 bb'],
    ],
    [
      'a step over the wrap',
      '04 ffffff 000001 08 01000000 fffffff0 aa 84 000020 bb',
      ['8 1 4294967280 aa', '8 1 16 bb'],
    ],
  ])('%s', (_name, bytes, messages) => {
    expect(shown(read(hex(bytes)))).toEqual(messages)
    expect(shown(read(...Array.from(hex(bytes), (byte) => Uint8Array.of(byte))))).toEqual(messages)
  })
})

describe('chunks', () => {
  const long = pad(200)

  test('128 bytes each, until another size is set', () => {
    const bytes = `04 000001 0000c8 08 01000000 ${long.slice(0, 256)} c4 ${long.slice(256)}
      02 000000 000004 01 00000000 00001000  04 000002 0000c8 08 01000000 ${long}`
    expect(shown(read(hex(bytes)))).toEqual([`8 1 1 ${long}`, `8 1 2 ${long}`])
  })

  test('of several messages, in turns', () => {
    const bytes = `04 000001 0000c8 08 01000000 ${long.slice(0, 256)}
      06 000002 0000c8 09 01000000 ${long.slice(0, 256)} c4 ${long.slice(256)} c6 ${long.slice(256)}`
    expect(shown(read(hex(bytes)))).toEqual([`8 1 1 ${long}`, `9 1 2 ${long}`])
  })

  test.each([
    ['repeated, as specified', '01020304'],
    ['left out, as some do', ''],
  ])('the extended time in format 3 is %s', (_name, again) => {
    const bytes = `04 ffffff 0000c8 08 01000000 01020304 ${long.slice(0, 256)} c4 ${again} ${long.slice(256)}
      04 000002 000001 08 01000000 aa`
    expect(shown(read(hex(bytes)))).toEqual([`8 1 16909060 ${long}`, '8 1 2 aa'])
    const bytewise = Array.from(hex(bytes), (byte) => Uint8Array.of(byte))
    expect(shown(read(...bytewise))).toEqual([`8 1 16909060 ${long}`, '8 1 2 aa'])
  })

  test('an abort drops what there is', () => {
    const bytes = `04 000001 0000c8 08 01000000 ${long.slice(0, 256)}
      02 000000 000004 02 00000000 00000004  04 000002 000001 08 01000000 aa`
    expect(shown(read(hex(bytes)))).toEqual(['8 1 2 aa'])
  })

  test('one in one piece is a view, not a copy', () => {
    const bytes = hex('04 000010 000003 08 01000000 aabbcc')
    expect(read(bytes)[0]?.payload.buffer).toBe(bytes.buffer)
  })
})

describe('refuses', () => {
  test.each([
    ['a chunk size of 0', '02 000000 000004 01 00000000 00000000', /size of 0/],
    ['a chunk size of 1', '02 000000 000004 01 00000000 00000001', /size of 1/],
    ['a chunk size with the first bit set', '02 000000 000004 01 00000000 80000000', /size of 2147483648/],
    ['a chunk size of three bytes', '02 000000 000003 01 00000000 000100', /3 bytes/],
    ['a chunk stream that begins with format 2', '84 000001', /format 2/],
    ['a chunk stream that begins with format 3', 'c4', /format 3/],
    [
      'a message inside of another',
      `04 000001 0000c8 08 01000000 ${pad(128)} 04 000001 000001 08 01000000`,
      /before the last/,
    ],
    ['a message of 16 MB', '04 000001 ffffff 08 01000000', /at most 10485760/],
  ])('%s', (_name, bytes, message) => {
    expect(() => read(hex(bytes))).toThrow(message)
  })

  test('a chunk size of 2³¹ − 1 is obeyed', () => {
    expect(read(hex('02 000000 000004 01 00000000 7fffffff'))).toEqual([])
  })

  test('nine unfinished messages', () => {
    const begun = (id: number) => `${id.toString(16).padStart(2, '0')} 000001 0000c8 08 01000000 ${pad(128)} `
    const eight = [3, 4, 5, 6, 7, 8, 9, 10].map(begun).join('')
    expect(read(hex(eight))).toEqual([])
    expect(() => read(hex(eight + begun(11)))).toThrow(expect.objectContaining({ kind: 'ResourceExhausted' }))
  })

  test('65 chunk streams', () => {
    const one = (id: number) => `00 ${id.toString(16).padStart(2, '0')} 000001 000001 08 01000000 aa`
    const many = (count: number) => Array.from({ length: count }, (_, id) => one(id)).join('')
    expect(read(hex(many(64)))).toHaveLength(64)
    expect(() => read(hex(many(65)))).toThrow(/more than 64 chunk streams/)
  })

  test('more bytes of unfinished messages than one message may have', () => {
    const reader = new ChunkReader()
    const push = (bytes: Uint8Array) => reader.push(bytes, () => undefined)
    push(hex('02 000000 000004 01 00000000 7fffffff'))
    push(hex('03 000001 a00000 08 01000000'))
    // The chunk is as long as the message: another begins only when it ends, so sizes are split first.
    expect(() => {
      const split = new ChunkReader()
      const feed = (bytes: Uint8Array) => split.push(bytes, () => undefined)
      feed(hex('02 000000 000004 01 00000000 00500000'))
      for (const id of ['03', '04', '05']) {
        feed(hex(`${id} 000001 a00000 08 01000000`))
        feed(new Uint8Array(0x500000))
      }
    }).toThrow(expect.objectContaining({ kind: 'ResourceExhausted' }))
  })

  test('memory is not taken for what a header claims', () => {
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 200 }, () => new ChunkReader())
    for (const reader of readers) {
      reader.push(hex(`04 000001 a00000 08 01000000 ${pad(128)}`), () => undefined)
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(rtmpMessageBytesMax)
  })
})

describe('writer', () => {
  test.each([
    ['short', 3, 16],
    ['with the extended time', 3, 0xffffff],
    ['past 2³²', 3, 2 ** 32 + 16],
    ['of several chunks', 200_000, 16],
    ['of several chunks with the extended time', 200_000, 0x1000000],
    ['of exactly one chunk', 65_536, 16],
    ['of no bytes', 0, 16],
  ])('a message %s comes back', (_name, bytes, timestampMs) => {
    const payload = Uint8Array.from({ length: bytes }, (_, i) => i)
    const parts = [payload.subarray(0, 2), payload.subarray(2, 70_000), payload.subarray(70_000)]
    const message = { type: 9, streamId: 1, timestampMs, parts }
    const size = chunked({ type: 1, streamId: 0, timestampMs: 0, parts: [hex('00010000')] })
    const [back] = read(size, chunked(message))
    expect(back).toMatchObject({ type: 9, streamId: 1, timestampMs: timestampMs % 2 ** 32 })
    expect(Buffer.compare(back?.payload ?? hex(''), payload)).toBe(0)
  })

  test('fills exactly the room that it asked for', () => {
    const message = { type: 8, streamId: 1, timestampMs: 0x1000000, parts: [new Uint8Array(300).fill(7)] }
    const room = new Uint8Array(chunkedBytes(message, 128) + 1)
    writeMessage(room.subarray(0, -1), message, 128)
    expect([room.at(-2), room.at(-1)]).toEqual([7, 0])
    expect(read(room.subarray(0, -1))[0]?.payload).toHaveLength(300)
  })

  test('media goes with the stream that createStream named', () => {
    expect(
      Buffer.from(chunked({ type: 9, streamId: 1, timestampMs: 5, parts: [hex('aa')] })).toString('hex'),
    ).toBe('06000005000001090100 0000aa'.replace(' ', ''))
  })
})
