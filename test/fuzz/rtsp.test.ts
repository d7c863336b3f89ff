import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RtspUnits } from '../../agent/ingest/rtsp-units.ts'
import { RtspClient } from '../../agent/protocol/rtsp/client-session.ts'
import { type RtspMessage, RtspParser } from '../../agent/protocol/rtsp/message.ts'
import { parseRtcp } from '../../agent/protocol/rtsp/rtcp.ts'
import { rtpHeader } from '../../agent/protocol/rtsp/rtp.ts'
import { type AudioFormat, parseSdp, type VideoFormat } from '../../agent/protocol/rtsp/sdp.ts'
import { AppError } from '../../shared/error.ts'

function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.map((at, i) => bytes.subarray(at, places[i + 1] ?? bytes.length))
}

const text = (value: string) => Buffer.from(value, 'latin1')
const frame = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.uint8Array({ maxLength: 60 }))
  .map(([channel, payload]) => Buffer.concat([Buffer.of(0x24, channel, 0, payload.length), payload]))
const response = fc
  .tuple(
    fc.constantFrom(200, 301, 401, 404, 454, 999),
    fc.integer({ min: 0, max: 6 }),
    fc.string({ maxLength: 40 }),
  )
  .map(([status, sequence, body]) =>
    text(
      `RTSP/1.0 ${status} X\r\nCSeq: ${sequence}\r\nSession: 1;timeout=5\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    ),
  )
const odd = fc.constantFrom(
  text('OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n'),
  text('RTSP/1.0 200 OK\nCSeq: 2\nTransport: RTP/AVP/TCP;interleaved=0-1\n\n'),
  text('RTSP/1.0 302 X\r\nCSeq: 1\r\nLocation: rtsp://x\r\n\r\n'),
  text('RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n'),
  text('\r\n\r\nRTSP/1.0 200'),
  Buffer.of(0x24, 0xff, 0xff, 0xff),
)
const wire = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .array(fc.oneof(frame, response, odd, fc.uint8Array({ maxLength: 12 })), { maxLength: 8 })
    .map((parts) => Buffer.concat(parts)),
)

function read(bytes: Uint8Array, cuts: readonly number[]): unknown[] {
  const parser = new RtspParser((channel) => channel < 32)
  const seen: unknown[] = []
  const plain = (message: RtspMessage) =>
    message.kind === 'frame'
      ? { ...message, payload: [...message.payload] }
      : { ...message, headers: [...message.headers], body: [...message.body] }
  try {
    for (const piece of pieces(bytes, cuts)) seen.push(...parser.push(piece).map(plain))
  } catch (error) {
    expect(error).toBeInstanceOf(AppError)
  }
  return seen
}

test('messages: any bytes, any split, the same messages', () => {
  fc.assert(
    fc.property(wire, fc.array(fc.nat(), { maxLength: 20 }), (bytes, cuts) => {
      const whole = read(bytes, [])
      const split = read(bytes, cuts)
      // A fault throws away what came in the same piece before it.
      expect(split.slice(0, whole.length)).toEqual(whole)
    }),
    { numRuns: 4000 },
  )
})

test('a client: any answers, no exception, and nothing after a failure', () => {
  fc.assert(
    fc.property(fc.array(wire, { maxLength: 8 }), (answers) => {
      const client = new RtspClient({
        url: 'rtsp://10.0.0.9/x',
        credentials: { user: 'u', password: 'p' },
        newCnonce: () => '00'.repeat(8),
      })
      client.begin()
      let failed = false
      for (const answer of answers) {
        const events = client.push(answer)
        if (failed) expect(events).toEqual([])
        failed ||= events.some(({ kind }) => kind === 'failed' || kind === 'redirect')
        if (events.some(({ kind }) => kind === 'described')) client.setup()
      }
      client.teardown()
    }),
    { numRuns: 3000 },
  )
})

const sdpLine = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.constantFrom(
    'v=0',
    'm=video 0 RTP/AVP 96',
    'm=audio 0 RTP/AVP 97 8',
    'm=audio 0 RTP/AVP 0',
    'a=rtpmap:96 H264/90000',
    'a=rtpmap:96 H265/90000',
    'a=rtpmap:97 MPEG4-GENERIC/44100/2',
    'a=rtpmap:96 H264/0',
    'a=fmtp:96 sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==',
    'a=fmtp:97 mode=AAC-hbr;config=1210;sizelength=13;indexlength=3;indexdeltalength=3',
    'a=fmtp:97 config=ffff',
    'a=fmtp:97 mode=AAC-hbr;config=1210;sizelength=99',
    'a=control:trackID=1',
    'a=control:rtsp://169.254.169.254/',
    'a=control:*',
  ),
)

test('SDP: any text is a session or an AppError', () => {
  fc.assert(
    fc.property(fc.array(sdpLine, { maxLength: 20 }), (lines) => {
      try {
        for (const { format } of parseSdp(lines.join('\r\n'), 'rtsp://10.0.0.9/x').medias) {
          expect(format === undefined || format.clockRate >= 1000).toBe(true)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(AppError)
      }
    }),
    { numRuns: 3000 },
  )
})

const video = (codec: 'h264' | 'h265'): VideoFormat => ({
  track: 'video',
  codec,
  clockRate: 90_000,
  parameterSets: [],
})
const aac: AudioFormat = {
  track: 'audio',
  clockRate: 44_100,
  config: {
    track: 'audio',
    codec: 'aac',
    specificConfig: Uint8Array.of(0x12, 0x10),
    sampleRate: 44_100,
    channels: 2,
    frameSamples: 1024,
    codecString: 'mp4a.40.2',
  },
  layout: { sizeLength: 13, indexLength: 3, indexDeltaLength: 3 },
}

const sps = Buffer.from('6742c01ed9', 'hex')
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(
    sps,
    Buffer.from('68cb8cb2', 'hex'),
    Buffer.from('6588804000', 'hex'),
    Buffer.from('7c85888040', 'hex'),
    Buffer.from('7c05aaaa', 'hex'),
    Buffer.from('7c45aaaa', 'hex'),
    Buffer.from('780005419a00000000024142', 'hex'),
    Buffer.from('78ffff41', 'hex'),
    Buffer.from('6201930102', 'hex'),
    Buffer.from('001000084142', 'hex'),
    Buffer.from('0010ffff4142', 'hex'),
  ),
)
const packet = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        payload,
        fc.boolean(),
        fc.integer({ min: 0, max: 12 }),
        fc.constantFrom(0, 3600, 0xffffffff, 7200),
      )
      .map(([body, marker, sequence, timestamp]) =>
        Buffer.concat([
          rtpHeader({ payloadType: 96, marker, sequence: 65_530 + sequence, timestamp, ssrc: 7 }),
          body,
        ]),
      ),
  },
)

test.each(['h264', 'h265'] as const)(
  'RTP of %s with sound: any packets, times that are integers and never step back in decoding',
  (codec) => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(packet, fc.constantFrom(0, 0, 0, 1), fc.nat({ max: 3000 })), { maxLength: 60 }),
        fc.boolean(),
        (packets, reorders) => {
          const dts = { video: -1, audio: -1 }
          let epoch = -1
          const units = new RtspUnits({
            tracks: [video(codec), aac].map((format) => ({ control: '', payloadType: 96, format })),
            reorders,
            now: { monotonicMs: 0, wallMs: 1_700_000_000_000 },
            nextEpoch: () => (epoch += 1),
            output: {
              unit: ({ track, dtsMs, ptsMs, nalUnits }) => {
                expect(Number.isInteger(dtsMs) && Number.isInteger(ptsMs)).toBe(true)
                expect(ptsMs).toBeGreaterThanOrEqual(dtsMs)
                expect(dtsMs).toBeGreaterThanOrEqual(dts[track])
                expect(nalUnits.length).toBeGreaterThan(0)
                dts[track] = dtsMs
              },
              gap: ({ fromMs, toMs }) => expect(toMs).toBeGreaterThanOrEqual(fromMs),
            },
          })
          let now = 0
          for (const [bytes, track, ms] of packets) {
            now += ms
            units.rtp(track, bytes, now)
            units.rtcp(track, bytes, now)
            units.tick(now)
          }
          units.end()
          expect(units.figures.packets).toBeLessThanOrEqual(packets.length)
        },
      ),
      { numRuns: 2000 },
    )
  },
)

test('RTP: what is made of packets does not change when the buffer that they were read into is written over', () => {
  const made = (packets: readonly Buffer[], shared: Buffer | undefined) => {
    const units: Uint8Array[] = []
    const take = (unit: { nalUnits: readonly Uint8Array[] }) => void units.push(...unit.nalUnits)
    const rtp = new RtspUnits({
      tracks: [video('h264'), aac].map((format) => ({ control: '', payloadType: 96, format })),
      reorders: false,
      now: { monotonicMs: 0, wallMs: 0 },
      nextEpoch: () => 0,
      output: { unit: take, gap: () => undefined },
    })
    for (const bytes of packets) {
      const place = shared ? shared.subarray(0, bytes.copy(shared)) : bytes
      for (const track of [0, 1]) rtp.rtp(track, place, 0)
      shared?.fill(0xee)
    }
    rtp.end()
    return units.map((nal) => Buffer.from(nal).toString('hex'))
  }
  fc.assert(
    fc.property(fc.array(packet.map(Buffer.from), { maxLength: 60 }), (packets) => {
      expect(made(packets, Buffer.alloc(200))).toEqual(made(packets, undefined))
    }),
    { numRuns: 2000 },
  )
})

test('RTCP: any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(parseRtcp(bytes).reports.length).toBeLessThanOrEqual(bytes.length)
    }),
  )
})
