import { describe, expect, test } from 'vitest'
import { parseRtcp, receiverReport, senderReport } from '../../../../../agent/protocol/rtsp/rtcp.ts'
import { parseRtp, type RtpPacket, RtpSequencer } from '../../../../../agent/protocol/rtsp/rtp.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))

test.each([
  ['plain', '80e0 0007 00000e10 deadbeef 6101', '6101'],
  ['two contributors', '82e0 0007 00000e10 deadbeef 11111111 22222222 6101', '6101'],
  ['an extension of one word', '90e0 0007 00000e10 deadbeef bede0001 ffffffff 6101', '6101'],
  ['three bytes of padding', 'a0e0 0007 00000e10 deadbeef 6101 000003', '6101'],
])('a packet with %s', (_name, text, payload) => {
  expect(parseRtp(hex(text))).toEqual({
    ...{ payloadType: 96, marker: true, sequence: 7, timestamp: 3600, ssrc: 0xdeadbeef },
    payload: hex(payload),
  })
})

test.each([
  ['too short', '80e0 0007 00000e10 deadbe'],
  ['of another version', '40e0 0007 00000e10 deadbeef 6101'],
  ['more contributors than bytes', '8fe0 0007 00000e10 deadbeef 6101'],
  ['an extension past the end', '90e0 0007 00000e10 deadbeef bedeffff'],
  ['padding past the beginning', 'a0e0 0007 00000e10 deadbeef 61ff'],
  ['padding of nothing', 'a0e0 0007 00000e10 deadbeef 6100'],
])('no packet: %s', (_name, text) => {
  expect(parseRtp(hex(text))).toBeUndefined()
})

const packet = (sequence: number, ssrc = 1): RtpPacket => ({
  ...{ payloadType: 96, marker: false, sequence: sequence & 0xffff, timestamp: 0, ssrc },
  payload: new Uint8Array(0),
})

function order(reorders: boolean, sequences: readonly number[]): string[] {
  const sequencer = new RtpSequencer({ reorders })
  const given = sequences.flatMap((sequence, at) => sequencer.push(packet(sequence), at))
  const late = sequencer.release(1000)
  return [...given, ...late].map(({ packet: { sequence }, lost }) =>
    lost > 0 ? `${sequence}(${lost} lost)` : `${sequence}`,
  )
}

describe('the order of packets', () => {
  test.each([
    ['over TCP, with the wrap', false, [65_534, 65_535, 65_536, 65_537], ['65534', '65535', '0', '1']],
    ['over TCP a missing one is lost at once', false, [65_534, 65_537], ['65534', '1(2 lost)']],
    [
      'over UDP one that was overtaken, across the wrap',
      true,
      [65_534, 65_536, 65_535, 65_537],
      ['65534', '65535', '0', '1'],
    ],
    ['over UDP one that never comes', true, [5, 7, 8], ['5', '7(1 lost)', '8']],
    ['over UDP twice the same', true, [5, 6, 6, 8, 8, 7], ['5', '6', '7', '8']],
    ['late beyond the window', false, [5, 9, 6], ['5', '9(3 lost)']],
  ])('%s', (_name, reorders, sequences, given) => {
    expect(order(reorders, sequences)).toEqual(given)
  })

  test('one stray number is dropped, two in a row are another numbering', () => {
    const sequencer = new RtpSequencer({ reorders: false })
    sequencer.push(packet(10), 0)
    expect(sequencer.push(packet(40_000), 0)).toEqual([])
    expect(sequencer.push(packet(11), 0)).toMatchObject([{ lost: 0 }])
    sequencer.push(packet(40_000), 0)
    expect(sequencer.push(packet(40_001), 0)).toMatchObject([{ lost: 1 }])
    expect(sequencer.push(packet(1, 2), 0)).toMatchObject([{ lost: 1 }])
    expect(sequencer.highest).toBe(1)
    expect(sequencer.figures).toMatchObject({ lost: 2, restarts: 2 })
  })

  test('numbers that step back further than packets overtake are another numbering', () => {
    const sequencer = new RtpSequencer({ reorders: false })
    sequencer.push(packet(1000), 0)
    expect(sequencer.push(packet(901), 0)).toEqual([])
    expect(sequencer.push(packet(1001), 0)).toMatchObject([{ lost: 0 }])
    sequencer.push(packet(800), 0)
    expect(sequencer.push(packet(801), 0)).toMatchObject([{ packet: { sequence: 801 }, lost: 1 }])
  })

  test('over TCP nothing is late: a small step back is another numbering, too', () => {
    const sequencer = new RtpSequencer({ reorders: false })
    for (let sequence = 0; sequence < 50; sequence += 1) sequencer.push(packet(sequence), 0)
    const given = [0, 1, 2, 3].flatMap((sequence) => sequencer.push(packet(sequence), 0))
    expect(given).toMatchObject([
      { packet: { sequence: 1 }, lost: 1 },
      { packet: { sequence: 2 }, lost: 0 },
      { packet: { sequence: 3 }, lost: 0 },
    ])
  })

  test('what waited when another numbering began is given before it', () => {
    const sequencer = new RtpSequencer({ reorders: true })
    for (const sequence of [10, 12, 14]) sequencer.push(packet(sequence), 0)
    const given = sequencer.push(packet(500, 2), 0)
    expect(given.map(({ packet: { sequence }, lost }) => [sequence, lost])).toEqual([
      [12, 1],
      [14, 1],
      [500, 1],
    ])
  })

  test('what waits is bounded in packets', () => {
    const sequencer = new RtpSequencer({ reorders: true })
    sequencer.push(packet(0), 0)
    const given = Array.from({ length: 64 }, (_, i) => sequencer.push(packet(i + 2), 0)).flat()
    expect(given).toHaveLength(64)
    expect(sequencer.figures).toMatchObject({ lost: 1 })
  })
})

test('a sender report goes and comes; the answer names it', () => {
  const report = { ssrc: 7, wallMs: 1_700_000_000_250, rtpTimestamp: 0xffffff00, packets: 3, bytes: 4 }
  const bye = hex('81cb0001 00000007')
  const { reports, bye: gone } = parseRtcp(Buffer.concat([senderReport(report), bye]))
  expect(gone).toBe(true)
  expect(reports).toMatchObject([{ ssrc: 7, rtpTimestamp: 0xffffff00 }])
  expect((reports[0]?.ntpMs ?? 0) - 2_208_988_800_000).toBeCloseTo(1_700_000_000_250, 2)
  const reception = { ssrc: 7, highest: 65_537, lost: 2, ntpMiddle: 0x12345678, sinceReportMs: 1000 }
  const answer = Buffer.from(receiverReport(9, reception)).toString('hex')
  expect(answer).toBe(
    '81c90007000000090000000700000002000100010000000012345678000100008' +
      '1ca0004000000090108' +
      Buffer.from('edgereel').toString('hex') +
      '0000',
  )
})
