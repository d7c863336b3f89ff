import { describe, expect, test } from 'vitest'
import { parseSdp } from '../../../../../agent/protocol/rtsp/sdp.ts'
import { chooseTracks } from '../../../../../agent/protocol/rtsp/tracks.ts'

const base = 'rtsp://10.0.0.9/cam?channel=1/'
const sdp = (...lines: string[]) => parseSdp(lines.join('\r\n'), base)
const hex = (sets: readonly Uint8Array[] = []) => sets.map((set) => Buffer.from(set).toString('hex'))

describe('a camera with pictures, sound and what is not taken', () => {
  const { control, medias } = sdp(
    ...['v=0', 'a=control:*', 'm=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000'],
    'a=fmtp:96 packetization-mode=1;profile-level-id=42C01E;sprop-parameter-sets=Z0LAHtk=,AAAAAWjLjLI=',
    ...['a=control:trackID=0', 'm=audio 0 RTP/AVP 97', 'a=rtpmap:97 mpeg4-generic/44100/2'],
    'a=fmtp:97 streamtype=5; mode=AAC-hbr; config=1210; SizeLength=13; IndexLength=3; IndexDeltaLength=3',
    ...[
      'a=control:rtsp://10.0.0.9/other',
      'm=application 0 RTP/AVP 107',
      'a=rtpmap:107 vnd.onvif.metadata/90000',
    ],
  )

  test('addresses are appended, not resolved', () => {
    expect(control).toBe(base)
    expect(medias.map((media) => media.control)).toEqual([`${base}trackID=0`, 'rtsp://10.0.0.9/other', base])
  })

  test('formats', () => {
    const [video, audio, other] = medias.map(({ format }) => format)
    expect(video).toMatchObject({ codec: 'h264', clockRate: 90_000 })
    expect(video?.track === 'video' && hex(video.parameterSets)).toEqual(['6742c01ed9', '68cb8cb2'])
    expect(audio).toMatchObject({
      clockRate: 44_100,
      config: { codec: 'aac', sampleRate: 44_100, channels: 2, frameSamples: 1024 },
      layout: { sizeLength: 13, indexLength: 3, indexDeltaLength: 3 },
    })
    expect(other).toBeUndefined()
    expect(chooseTracks(medias)).toHaveLength(2)
  })
})

test('H.265 with its three sets, G.711 without a line of its own', () => {
  const { medias } = sdp(
    ...[
      'm=video 0 RTP/AVP 98',
      'a=rtpmap:98 H265/90000',
      'a=fmtp:98 sprop-vps=QAEM;sprop-sps=QgEB;sprop-pps=RAHA',
    ],
    ...['m=audio 0 RTP/AVP 8', 'm=audio 0 RTP/AVP 0'],
  )
  const [video, a, u] = medias.map(({ format }) => format)
  expect(video?.track === 'video' && hex(video.parameterSets)).toEqual(['40010c', '420101', '4401c0'])
  expect([a, u]).toMatchObject([
    { config: { codec: 'g711a', sampleRate: 8000, channels: 1 } },
    { config: { codec: 'g711u', sampleRate: 8000, channels: 1 } },
  ])
})

test.each([
  [[], /no media|none/],
  [['m=video 0 RTP/AVP 26'], /set it to H.264 or H.265/],
  [['m=application 0 RTP/AVP 107'], /set it to H.264 or H.265/],
  [['m=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/0'], /runs at 0 Hz/],
  [['m=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000', 'a=fmtp:96 packetization-mode=2'], /interleaving off/],
  [['m=video 0 RTP/AVP 96', 'a=rtpmap:96 H265/90000', 'a=fmtp:96 sprop-max-don-diff=2'], /interleaving off/],
  [
    ['m=audio 0 RTP/AVP 97', 'a=rtpmap:97 MPEG4-GENERIC/8000', 'a=fmtp:97 mode=AAC-hbr'],
    /how it is configured/,
  ],
  [['m=audio 0 RTP/AVP 97', 'a=rtpmap:97 MPEG4-GENERIC/8000', 'a=fmtp:97 mode=CELP-cbr'], /celp-cbr/],
  [Array.from({ length: 30 }, () => 'm=video 0 RTP/AVP 96'), /30 media/],
])('an SDP that lies is refused in words: %j', (lines, words) => {
  expect(() => chooseTracks(sdp(...lines).medias)).toThrow(words)
})
