import { describe, expect, test } from 'vitest'
import { audioDepacketizer } from '../../../../../agent/protocol/rtsp/audio-depacketizer.ts'
import type { Depacketizer } from '../../../../../agent/protocol/rtsp/depacketizer.ts'
import type { AudioFormat } from '../../../../../agent/protocol/rtsp/sdp.ts'
import { VideoDepacketizer } from '../../../../../agent/protocol/rtsp/video-depacketizer.ts'

type Given = { hex: string; at?: number; marker?: boolean; lost?: number }

/** `timestamp:part,part` of each unit, with `!` when it is damaged and `-n` for what is lost. */
function read(depacketizer: Depacketizer, packets: readonly Given[]): string[] {
  const units = packets.flatMap(({ hex, at = 0, marker = false, lost = 0 }) =>
    depacketizer.push({
      packet: {
        ...{ payloadType: 96, marker, sequence: 0, timestamp: at, ssrc: 1 },
        payload: Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')),
      },
      ...{ lost, arrivalMs: 0 },
    }),
  )
  return [...units, ...depacketizer.end()].map(
    ({ timestamp, offset, parts, damaged, lost }) =>
      `${timestamp + offset}:${parts.map((part) => Buffer.from(part).toString('hex'))}${damaged ? '!' : ''}${lost ? `-${lost}` : ''}`,
  )
}

describe('H.264 (RFC 6184)', () => {
  test.each<[string, Given[], string[]]>([
    [
      'single NAL units, the marker ends the picture',
      [{ hex: '6742' }, { hex: '6588', marker: true }],
      ['0:6742,6588'],
    ],
    ['another time ends it too', [{ hex: '6588' }, { hex: '4188', at: 9 }], ['0:6588', '9:4188']],
    ['STAP-A', [{ hex: '78 0002 6742 0003 68ce3c', marker: true }], ['0:6742,68ce3c']],
    ['FU-A', [{ hex: '7c85 88aa' }, { hex: '7c05 bb' }, { hex: '7c45 cc', marker: true }], ['0:6588aabbcc']],
    [
      'the middle of FU-A is lost',
      [{ hex: '7c85 88aa' }, { hex: '7c45 cc', marker: true, lost: 1 }],
      ['0:!-1'],
    ],
    [
      'its end and the beginning of the next',
      [{ hex: '7c85 88aa' }, { hex: '5c01 bb', at: 9, lost: 2 }, { hex: '4188', at: 9, marker: true }],
      ['0:!-2', '9:4188!'],
    ],
    [
      'a whole picture is lost',
      [
        { hex: '6588', marker: true },
        { hex: '4188', at: 18, marker: true, lost: 3 },
      ],
      ['0:6588', '18:4188-3'],
    ],
    [
      'the first slice is lost',
      [
        { hex: '6588', marker: true },
        { hex: '4120', at: 9, marker: true, lost: 1 },
      ],
      ['0:6588', '9:4120!-1'],
    ],
    [
      'a marker at every slice is seen through',
      [
        { hex: '6588', marker: true },
        { hex: '6520', marker: true },
        { hex: '4188', at: 9, marker: true },
        { hex: '4120', at: 9, marker: true },
      ],
      ['0:6588', '0:6520!', '9:4188,4120'],
    ],
    [
      'parameter sets with a marker of their own',
      [
        { hex: '6742', marker: true },
        { hex: '6588', marker: true },
      ],
      ['0:6742', '0:6588'],
    ],
    [
      'a STAP-A that lies',
      [
        { hex: '78 00ff 6742', marker: true },
        { hex: '6588', at: 9, marker: true },
      ],
      ['9:6588-1'],
    ],
    [
      'kinds that are undefined say nothing',
      [{ hex: '6588', marker: true }, { hex: '7e00' }, { hex: '' }, { hex: '4188', at: 9, marker: true }],
      ['0:6588', '9:4188'],
    ],
    [
      'an interleaved packet cannot be read: what it held is missing',
      [
        { hex: '6588', marker: true },
        { hex: '7900', at: 9, marker: true },
        { hex: '4188', at: 18, marker: true },
      ],
      ['0:6588', '18:4188-1'],
    ],
    [
      'Annex B, which no RFC allows',
      [{ hex: '00000001 6742 000001 68ce' }, { hex: '000001 6588', marker: true }],
      ['0:6742,68ce,6588'],
    ],
  ])('%s', (_name, packets, units) => {
    expect(read(new VideoDepacketizer('h264'), packets)).toEqual(units)
  })
})

describe('H.265 (RFC 7798)', () => {
  test.each<[string, Given[], string[]]>([
    ['single', [{ hex: '2601 af', marker: true }], ['0:2601af']],
    [
      'AP',
      [{ hex: '6001 0003 40010c 0003 420101' }, { hex: '2601 af', marker: true }],
      ['0:40010c,420101,2601af'],
    ],
    [
      'FU',
      [{ hex: '6201 93 af01' }, { hex: '6201 13 02' }, { hex: '6201 53 03', marker: true }],
      ['0:2601af010203'],
    ],
    ['Annex B of more NAL units than there are', [{ hex: '00000101'.repeat(20_000), marker: true }], []],
    ['Annex B', [{ hex: '00000001 40010c 00000001 2601af', marker: true }], ['0:40010c,2601af']],
    ['the beginning of FU is lost', [{ hex: '6201 53 03', marker: true, lost: 1 }], ['0:!-1']],
  ])('%s', (_name, packets, units) => {
    expect(read(new VideoDepacketizer('h265'), packets)).toEqual(units)
  })
})

const aac: AudioFormat = {
  track: 'audio',
  clockRate: 44_100,
  config: {
    ...{ track: 'audio', codec: 'aac', specificConfig: Uint8Array.of(0x12, 0x10), sampleRate: 44_100 },
    ...{ channels: 2, frameSamples: 1024, codecString: 'mp4a.40.2' },
  },
  layout: { sizeLength: 13, indexLength: 3, indexDeltaLength: 3 },
}

describe('AAC-hbr (RFC 3640)', () => {
  test.each<[string, Given[], string[]]>([
    ['one frame', [{ hex: '0010 0010 2122', marker: true }], ['0:2122']],
    [
      'two frames follow each other',
      [{ hex: '0020 0010 0018 2122 313233', marker: true }],
      ['0:2122', '1024:313233'],
    ],
    [
      'a frame in two packets',
      [{ hex: '0010 0020 2122' }, { hex: '0010 0020 2324', marker: true }],
      ['0:21222324'],
    ],
    [
      'its end is lost',
      [{ hex: '0010 0020 2122' }, { hex: '0010 0010 3132', at: 1024, marker: true, lost: 1 }],
      ['1024:3132-1'],
    ],
    ['sizes past the end', [{ hex: '0020 0010 0fff 2122', marker: true }], []],
    ['headers past the end', [{ hex: 'ffff 0010 2122', marker: true }], []],
    ['interleaved', [{ hex: '0010 0011 2122', marker: true }], []],
  ])('%s', (_name, packets, units) => {
    expect(read(audioDepacketizer(aac), packets)).toEqual(units)
  })
})
