import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LatmDepacketizer, parseStreamMuxConfig } from '../../../../../agent/protocol/rtsp/latm.ts'
import type { Received } from '../../../../../agent/protocol/rtsp/rtp.ts'
import { AppError } from '../../../../../shared/error.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

describe('StreamMuxConfig', () => {
  test.each([
    // RFC 6416, 7.4: two channels at 24 kHz; then what GStreamer 1.22 and FFmpeg 5.1 write.
    ['40 00 26 20 3f c0', 'mp4a.40.2', 24_000, 2, 1],
    ['40 00 24 20 3f c0', 'mp4a.40.2', 44_100, 2, 1],
    ['40 00 26 10 3f c0', 'mp4a.40.2', 24_000, 1, 1],
    ['43 00 26 10 3f c0', 'mp4a.40.2', 24_000, 1, 4],
  ])('%s', (text, codecString, sampleRate, channels, frames) => {
    const read = parseStreamMuxConfig(hex(text))
    expect(read).toMatchObject({ frames, config: { codecString, sampleRate, channels } })
    expect(read.config.specificConfig).toHaveLength(2)
  })

  test.each([
    ['a later version', 'c0 00 26 20 3f c0'],
    ['frames of several times', '00 00 26 20 3f c0'],
    ['two programmes', '40 10 26 20 3f c0'],
    ['nothing behind its head', '40 00'],
  ])('refused: %s', (_name, text) => {
    expect(() => parseStreamMuxConfig(hex(text))).toThrow(AppError)
  })

  test('any bytes are a configuration or an AppError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          parseStreamMuxConfig(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(AppError)
        }
      }),
    )
  })
})

const packet = (payload: string, { timestamp = 0, marker = true, lost = 0 } = {}): Received => ({
  packet: { payloadType: 97, marker, sequence: 0, timestamp, ssrc: 1, payload: hex(payload) },
  ...{ lost, arrivalMs: 0 },
})
const parts = (units: readonly { parts: Uint8Array[] }[]) =>
  units.map((unit) => Buffer.concat(unit.parts).toString('hex'))

describe('LATM packets', () => {
  const made = (frames = 1) => new LatmDepacketizer({ frames, frameTicks: 1024 })

  test('one frame; a long one; several', () => {
    expect(parts(made().push(packet('03 aabbcc')))).toEqual(['aabbcc'])
    const long = '11'.repeat(300)
    expect(parts(made().push(packet(`ff 2d ${long}`)))).toEqual([long])
    const three = made(3).push(packet('01 aa 02 bbbb 01 cc', { timestamp: 7 }))
    expect(parts(three)).toEqual(['aa', 'bbbb', 'cc'])
    expect(three.map(({ offset }) => offset)).toEqual([0, 1024, 2048])
  })

  test('one in pieces; one whose piece is lost is left out, and told with the next', () => {
    const latm = made()
    expect(latm.push(packet('04 aa', { marker: false }))).toEqual([])
    expect(parts(latm.push(packet('bbccdd')))).toEqual(['aabbccdd'])
    expect(latm.push(packet('04 aa', { timestamp: 1024, marker: false }))).toEqual([])
    expect(latm.push(packet('dd', { timestamp: 1024, lost: 1 }))).toEqual([])
    const [next] = latm.push(packet('01 ee', { timestamp: 2048 }))
    expect(next).toMatchObject({ lost: 1, timestamp: 2048 })
  })

  test.each(['05 aa', '', 'ff', '00'])('not whole: %s', (payload) => {
    const latm = made()
    expect(latm.push(packet(payload))).toEqual([])
    expect(latm.refused).toBe(1)
  })

  test('any packets: no exception, and never more than the bound', () => {
    const any = fc.record({
      payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      timestamp: fc.integer({ min: 0, max: 3 }),
      marker: fc.boolean(),
      lost: fc.integer({ min: 0, max: 2 }),
    })
    fc.assert(
      fc.property(fc.array(any, { maxLength: 30 }), fc.integer({ min: 1, max: 64 }), (packets, frames) => {
        const latm = made(frames)
        for (const { payload, ...about } of packets)
          expect(latm.push(packet(payload, about)).length).toBeLessThanOrEqual(frames)
      }),
    )
  })
})
