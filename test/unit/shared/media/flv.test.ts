import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { AccessUnit, AudioConfig, VideoConfig } from '../../../../shared/media/access-unit.ts'
import { FlvParser, type FlvTag, flvFileHeader, flvTag, writeFlvTag } from '../../../../shared/media/flv.ts'
import {
  flvAudioConfig,
  flvAudioFrame,
  flvCarries,
  parseFlvAudio,
} from '../../../../shared/media/flv-audio.ts'
import { flvMetadata, parseFlvMetadata } from '../../../../shared/media/flv-metadata.ts'
import { flvPicture, flvVideoConfig, parseFlvVideo } from '../../../../shared/media/flv-video.ts'
import { splitLengthPrefixed } from '../../../../shared/media/nal.ts'
import { sharedPath } from '../../../support/shared-data.ts'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))
const hex = (...parts: Uint8Array[]) => Buffer.concat(parts).toString('hex')

const video: VideoConfig = {
  track: 'video',
  codec: 'h264',
  parameterSets: [bytes('6742c01e'), bytes('68ce3c80')],
  width: 640,
  height: 480,
  codecString: 'avc1.42c01e',
  reorderDepth: 0,
  rotation: 0,
}
const audio: AudioConfig = {
  track: 'audio',
  codec: 'aac',
  specificConfig: bytes('1210'),
  sampleRate: 44100,
  channels: 2,
  frameSamples: 1024,
  codecString: 'mp4a.40.2',
}
const unit: AccessUnit = {
  track: 'video',
  config: video,
  nalUnits: [bytes('65aabb'), bytes('65cc')],
  sizeBytes: 13,
  randomAccess: true,
  idr: true,
  dtsMs: 1000,
  ptsMs: 960,
  arrivalMs: 0,
  epoch: 1,
  timeSource: 'device',
}
const sound: AccessUnit = { ...unit, track: 'audio', config: audio, nalUnits: [bytes('2112')], sizeBytes: 2 }

describe('tags', () => {
  test('file header: flags, header size, and the first size behind', () => {
    expect(hex(flvFileHeader({ video: true, audio: true }))).toBe('464c5601050000000900000000')
    expect(hex(flvFileHeader({ video: true, audio: false }))).toBe('464c5601010000000900000000')
  })

  test('24 + 8 bits of time, and the size of it behind the tag', () => {
    expect(hex(flvTag('video', 0x89abcdef, bytes('aa'), bytes('bbcc')))).toBe(
      '09 000003 abcdef 89 000000 aabbcc 0000000e'.replaceAll(' ', ''),
    )
  })

  test('several tags share one slab', () => {
    const slab = new Uint8Array(40)
    const first = writeFlvTag(slab, 1, { kind: 'audio', timestampMs: 1, parts: [bytes('01')] })
    const second = writeFlvTag(slab, first, { kind: 'video', timestampMs: 2, parts: [] })
    expect([first, second]).toEqual([17, 32])
    const parser = new FlvParser({ from: 'tag header' })
    expect(parser.push(slab.subarray(1, second)).map((tag) => [tag.kind, tag.timestampMs])).toEqual([
      ['audio', 1],
      ['video', 2],
    ])
  })

  test('a body of 16 MiB does not fit', () => {
    expect(() => flvTag('video', 0, new Uint8Array(2 ** 24))).toThrow(
      expect.objectContaining({ kind: 'InvalidArgument' }),
    )
  })
})

describe('parser', () => {
  const file = Buffer.concat([
    flvFileHeader({ video: true, audio: true }),
    flvTag('script', 0, bytes('02')),
    flvTag('video', 0xfffffff0, bytes('1700')),
    flvTag('audio', 5),
    flvTag('audio', 6, bytes('af01')),
  ])
  const expected = [
    { kind: 'script', timestampMs: 0, body: '02' },
    { kind: 'video', timestampMs: 0xfffffff0, body: '1700' },
    { kind: 'audio', timestampMs: 5, body: '' },
    { kind: 'audio', timestampMs: 6, body: 'af01' },
  ]
  const plain = (tags: FlvTag[]) => tags.map((tag) => ({ ...tag, body: hex(tag.body) }))

  test.each([1, 2, 3, 7, 11, 1000])('in pieces of %i bytes', (size) => {
    const parser = new FlvParser()
    const tags: FlvTag[] = []
    for (let at = 0; at < file.length; at += size) tags.push(...parser.push(file.subarray(at, at + size)))
    expect(plain(tags)).toEqual(expected)
    expect(() => parser.end()).not.toThrow()
  })

  test('a header with more in it, sizes that are wrong and a tag of another kind are passed over', () => {
    const odd = Buffer.concat([
      bytes('464c56010500000b 00 ffff ffffffff'.replace('0500000b 00', '050000000b')),
      flvTag('video', 1, bytes('27')).fill(0xee, -4),
      flvTag('video', 2, bytes('27')).fill(15, 0, 1),
      flvTag('audio', 3, bytes('af')),
    ])
    expect(plain(new FlvParser().push(odd)).map((tag) => tag.timestampMs)).toEqual([1, 3])
  })

  test('whole tags before a malformed byte are returned, then the error is thrown', () => {
    const parser = new FlvParser()
    expect(parser.push(Buffer.concat([file, bytes('ff00000000000000000000')]))).toHaveLength(4)
    expect(() => parser.push(bytes('00'))).toThrow(/no tag of type 255/)
    expect(() => parser.end()).toThrow(/no tag of type 255/)
  })

  test.each([
    ['another file', '52494646 00000000 00', /does not begin/],
    ['a header of 4 GiB', '464c5601 05 ffffffff', /file header of/],
    ['a header of 3 bytes', '464c5601 05 00000003', /file header of/],
    ['a tag beyond the bound', '464c5601 05 00000009 00000000 09 ffffff 000000 00 000000', /at most/],
  ])('refuses %s', (_name, input, message) => {
    expect(() => new FlvParser().push(bytes(input))).toThrow(message)
  })

  test('an end inside of a tag', () => {
    const parser = new FlvParser()
    parser.push(file.subarray(0, file.length - 5))
    expect(() => parser.end()).toThrow(/inside of a body/)
  })
})

describe('pictures', () => {
  test('H.264: configuration and picture with a negative composition time', () => {
    expect(hex(...flvVideoConfig(video)).slice(0, 18)).toBe('17000000000142c01e')
    const body = Buffer.concat(flvPicture(unit))
    expect(hex(body)).toBe('17 01 ffffd8 00000003 65aabb 00000002 65cc'.replaceAll(' ', ''))
    const parsed = parseFlvVideo(body)
    expect(parsed).toMatchObject({ kind: 'picture', codec: 'h264', key: true, compositionMs: -40 })
    if (parsed.kind === 'picture')
      expect(splitLengthPrefixed(parsed.payload, 4).map((nal) => hex(nal))).toEqual(['65aabb', '65cc'])
  })

  test('H.265 leaves as Enhanced hvc1', () => {
    const body = Buffer.concat(
      flvPicture({ ...unit, config: { ...video, codec: 'h265' }, randomAccess: false }),
    )
    expect(hex(body).slice(0, 16)).toBe('a168766331ffffd8')
    expect(parseFlvVideo(body)).toMatchObject({
      kind: 'picture',
      codec: 'h265',
      key: false,
      compositionMs: -40,
    })
  })

  test('AV1 and VP9 leave as they came', () => {
    const av1: VideoConfig = { ...video, codec: 'av1', parameterSets: [bytes('81002000')] }
    expect(hex(...flvVideoConfig(av1))).toBe('906176303181002000')
    expect(hex(...flvPicture({ ...unit, config: av1, nalUnits: [bytes('0a0b')] }))).toBe('91617630310a0b')
    const vp9: VideoConfig = { ...av1, codec: 'vp9' }
    expect(hex(...flvPicture({ ...unit, config: vp9, randomAccess: false, nalUnits: [bytes('aa')] }))).toBe(
      'a176703039aa',
    )
  })

  test.each([
    ['legacy configuration', '1700000000 0142', { kind: 'config', codec: 'h264', record: bytes('0142') }],
    ['legacy H.265', '2c01000028 0102', { kind: 'picture', codec: 'h265', key: false, compositionMs: 40 }],
    ['end of sequence', '1702000000', { kind: 'end' }],
    ['command', '5700', { kind: 'other' }],
    ['Enhanced configuration', '90 68766331 01', { kind: 'config', codec: 'h265', record: bytes('01') }],
    [
      'Enhanced H.264',
      '91 61766331 000021 aa',
      { kind: 'picture', codec: 'h264', key: true, compositionMs: 33 },
    ],
    [
      'Enhanced without composition',
      'a3 68766331 aa',
      { kind: 'picture', key: false, compositionMs: 0, payload: bytes('aa') },
    ],
    ['Enhanced end', '92 68766331', { kind: 'end' }],
    ['Enhanced metadata', '94 68766331 02', { kind: 'other' }],
    ['Enhanced command', 'd1 00', { kind: 'other' }],
    ['AV1 configuration', '90 61763031 81', { kind: 'config', codec: 'av1', record: bytes('81') }],
    ['VP9', '91 76703039 aa', { kind: 'picture', codec: 'vp9', key: true, payload: bytes('aa') }],
    ['the first track, alone', '96 03 68766331 00 aa', { kind: 'picture', payload: bytes('aa') }],
    ['another track, alone', '96 03 68766331 01 aa', { kind: 'other' }],
    [
      'the first of many tracks',
      'a6 11 68766331 02 000001 bb 00 000004 000021 aa',
      { kind: 'picture', codec: 'h265', key: false, compositionMs: 33, payload: bytes('aa') },
    ],
    [
      'the first of many codecs',
      '96 23 61763031 01 000001 bb 68766331 00 000001 aa',
      { kind: 'picture', codec: 'h265', payload: bytes('aa') },
    ],
    [
      'ModEx before the picture',
      '97 02 000001 01 68766331 000000 aa',
      { kind: 'picture', key: true, payload: bytes('aa') },
    ],
    [
      'ModEx with a long size',
      `97 ff 00ff ${'00'.repeat(256)} 03 68766331 aa`,
      { kind: 'picture', payload: bytes('aa') },
    ],
  ])('reads %s', (_name, input, value) => {
    expect(parseFlvVideo(bytes(input))).toMatchObject(value)
  })

  test.each([
    ['no bytes', '', /0 bytes/],
    ['a cut-off head', '1701ff', /composition/],
    ['a cut-off Enhanced head', '91687663', /only 4 bytes/],
    ['tracks that are cut off', '96 00', /only 2 bytes/],
    ['a track that goes past the end', '96 11 68766331 00 000005 aa', /only 11 bytes/],
    ['tracks of an unknown kind', '96 31', /kind 3/],
    ['tracks without end', `96 11 68766331 ${'01 000000'.repeat(20)}`, /without end/],
    ['VVC', '90 76766331 00', /not read here/],
    ['VP6', '2400', /codec 4/],
    ['extensions without end', `97 ${'00aa07'.repeat(20)}`, /without end/],
  ])('refuses %s', (_name, input, message) => {
    expect(() => parseFlvVideo(bytes(input))).toThrow(message)
    expect(() => parseFlvVideo(bytes(input))).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  })
})

describe('sound', () => {
  test('AAC: configuration and frame', () => {
    const config = flvAudioConfig(audio)
    expect(hex(...(config ?? []))).toBe('af001210')
    expect(hex(...flvAudioFrame(sound))).toBe('af012112')
    expect(parseFlvAudio(bytes('af001210'))).toEqual({
      kind: 'config',
      codec: 'aac',
      specificConfig: bytes('1210'),
    })
    expect(parseFlvAudio(bytes('af012112'))).toMatchObject({
      kind: 'frame',
      codec: 'aac',
      payload: bytes('2112'),
    })
  })

  test('Opus: configuration and frame, as Enhanced', () => {
    const opus: AudioConfig = { ...audio, codec: 'opus', specificConfig: bytes('4f70') }
    expect(hex(...(flvAudioConfig(opus) ?? []))).toBe('904f7075734f70')
    expect(hex(...flvAudioFrame({ ...sound, config: opus }))).toBe('914f7075732112')
  })

  test('G.711 needs no configuration and tells its shape', () => {
    const g711: AccessUnit = { ...sound, config: { ...audio, codec: 'g711a', sampleRate: 8000, channels: 1 } }
    expect(flvAudioConfig({ ...audio, codec: 'g711a' })).toBeUndefined()
    const body = Buffer.concat(flvAudioFrame(g711))
    expect(parseFlvAudio(body)).toEqual({
      kind: 'frame',
      codec: 'g711a',
      payload: Buffer.from('2112', 'hex'),
      sampleRate: 8000,
      channels: 1,
    })
  })

  test.each([
    [
      'Enhanced AAC configuration',
      '90 6d703461 1210',
      { kind: 'config', codec: 'aac', specificConfig: bytes('1210') },
    ],
    ['Enhanced Opus', '91 4f707573 aa', { kind: 'frame', codec: 'opus' }],
    ['Enhanced end', '92 6d703461', { kind: 'end' }],
    ['channel layout', '94 6d703461 00', { kind: 'other' }],
    ['the first track', '95 01 4f707573 00 aa', { kind: 'frame', codec: 'opus', payload: bytes('aa') }],
    ['another track', '95 01 4f707573 01 aa', { kind: 'other' }],
    ['ModEx', '97 02 000001 01 4f707573 aa', { kind: 'frame', payload: bytes('aa') }],
    ['MP3', '2f aabb', { kind: 'frame', codec: 'mp3', sampleRate: 44100, channels: 2 }],
    ['MP3 at 8 kHz', 'e2 aabb', { kind: 'frame', codec: 'mp3', sampleRate: 8000, channels: 1 }],
  ])('reads %s', (_name, input, value) => {
    expect(parseFlvAudio(bytes(input))).toMatchObject(value)
  })

  test.each([
    ['no bytes', ''],
    ['half an AAC head', 'af'],
    ['Nellymoser', '6200'],
    ['tracks that are cut off', '95 00'],
    ['an unknown FourCC', '91 61626364'],
  ])('refuses %s', (_name, input) => {
    expect(() => parseFlvAudio(bytes(input))).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  })

  test('what FLV does not carry is known before it is written', () => {
    expect(flvCarries('g726')).toBe(false)
    expect(() => flvAudioFrame({ ...sound, config: { ...audio, codec: 'g726' } })).toThrow(/not written/)
  })
})

test('metadata: both directions, with and without @setDataFrame', () => {
  const body = flvMetadata({ video, audio })
  const expected = {
    width: 640,
    height: 480,
    videocodecid: 7,
    audiocodecid: 10,
    audiosamplerate: 44100,
    stereo: true,
  }
  expect(parseFlvMetadata(body)).toMatchObject(expected)
  expect(parseFlvMetadata(Buffer.concat([bytes('02000d 40736574446174614672616d65'), body]))).toMatchObject(
    expected,
  )
  expect(parseFlvMetadata(bytes('020001 61'))).toBeUndefined()
})

describe.skipIf(!sharedPath('data', 'flv'))('each file of ../shared/data/flv', () => {
  const directory = sharedPath('data', 'flv') ?? ''
  const files = directory ? readdirSync(directory).filter((name) => name.endsWith('.flv')) : []

  test.each(files)('%s: all tags, in any pieces, bodies read or refused with a reason', (name) => {
    const file = readFileSync(`${directory}/${name}`)
    const whole = parseAll(file, file.length)
    expect(parseAll(file, 4099)).toEqual(whole)
    expect(whole.tags.length).toBeGreaterThan(0)
    for (const tag of whole.tags) readBody(tag)
  })

  function parseAll(file: Buffer, size: number): { tags: FlvTag[]; reason: string | undefined } {
    const parser = new FlvParser()
    const tags: FlvTag[] = []
    try {
      for (let at = 0; at < file.length; at += size) tags.push(...parser.push(file.subarray(at, at + size)))
      parser.end()
      return { tags: tags.map((tag) => ({ ...tag, body: Uint8Array.from(tag.body) })), reason: undefined }
    } catch (error) {
      expect(error).toMatchObject({ name: 'AppError', kind: 'InvalidArgument' })
      return { tags: tags.map((tag) => ({ ...tag, body: Uint8Array.from(tag.body) })), reason: String(error) }
    }
  }

  function readBody(tag: FlvTag): void {
    try {
      if (tag.kind === 'video') parseFlvVideo(tag.body)
      else if (tag.kind === 'audio') parseFlvAudio(tag.body)
      else parseFlvMetadata(tag.body)
    } catch (error) {
      expect(error).toMatchObject({ name: 'AppError', kind: 'InvalidArgument' })
    }
  }
})
