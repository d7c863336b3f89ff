import { expect, test } from 'vitest'
import { RtspUnits } from '../../../../agent/ingest/rtsp-units.ts'
import { H264Packetizer } from '../../../../agent/protocol/rtsp/packetizer.ts'
import { senderReport } from '../../../../agent/protocol/rtsp/rtcp.ts'
import { rtpHeader } from '../../../../agent/protocol/rtsp/rtp.ts'
import type { AudioFormat, VideoFormat } from '../../../../agent/protocol/rtsp/sdp.ts'
import type { AccessUnit, SourceGap } from '../../../../shared/media/access-unit.ts'
import { clipUnits } from '../../../support/live-units.ts'

const clip = clipUnits()
const video: VideoFormat = { track: 'video', codec: 'h264', clockRate: 90_000, parameterSets: [] }
const sound: AudioFormat = {
  track: 'audio',
  clockRate: 8000,
  config: {
    ...{ track: 'audio', codec: 'g711a', specificConfig: new Uint8Array(0), sampleRate: 8000, channels: 1 },
    ...{ frameSamples: 0, codecString: 'g711a' },
  },
}

function rig(formats: readonly (VideoFormat | AudioFormat)[], reorders = false) {
  const units: AccessUnit[] = []
  const gaps: SourceGap[] = []
  let epoch = -1
  const taker = new RtspUnits({
    tracks: formats.map((format) => ({ control: '', payloadType: 96, format })),
    reorders,
    now: { monotonicMs: 1000, wallMs: 1_700_000_000_000 },
    nextEpoch: () => {
      epoch += 1
      return epoch
    },
    output: { unit: (unit) => units.push(unit), gap: (gap) => gaps.push(gap) },
  })
  return { taker, units, gaps }
}

/** The n-th picture of the clip at 25 a second, with its parameter sets before a key frame. */
function packets(packetizer: H264Packetizer, n: number, zero: number): Uint8Array[] {
  const { nalUnits, randomAccess, config } = clip[n % clip.length] as AccessUnit
  const sets = randomAccess && config.track === 'video' ? config.parameterSets : []
  return packetizer.packets([...sets, ...nalUnits], (zero + n * 3600) >>> 0)
}

test.each([false, true])(
  'both numbers wrap within one GOP, and nothing is seen of it; overtaking: %s',
  (overtaken) => {
    const { taker, units, gaps } = rig([video], overtaken)
    const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 65_500 })
    const all = Array.from({ length: 40 }, (_, n) =>
      packets(packetizer, n, 2 ** 32 - 20 * 3600).map((packet) => ({ packet, atMs: 1000 + n * 40 })),
    ).flat()
    for (let i = 2; overtaken && i + 1 < all.length; i += 3)
      all.splice(i, 2, all[i + 1] as never, all[i] as never)
    for (const { packet, atMs } of all) taker.rtp(0, packet, atMs)
    taker.end()
    expect(units).toHaveLength(40)
    expect(units.map(({ ptsMs }) => ptsMs)).toEqual(units.map((_, n) => 1_700_000_000_000 + n * 40))
    expect(new Set(units.map(({ epoch }) => epoch)).size).toBe(1)
    expect(gaps).toEqual([])
  },
)

test('a lost packet: its picture is damaged, and a gap says so', () => {
  const { taker, units, gaps } = rig([video])
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 0 })
  for (let n = 0; n < 10; n += 1) {
    const [first, ...rest] = packets(packetizer, n, 0)
    for (const packet of n === 5 ? rest : [first as Uint8Array, ...rest]) taker.rtp(0, packet, 1000 + n * 40)
  }
  const at = (n: number) => 1_700_000_000_000 + n * 40
  const [gap] = gaps
  expect(gaps).toHaveLength(1)
  expect(gap).toMatchObject({ fromMs: at(4), cause: 'sequence' })
  const undamaged = units.filter(({ damaged }) => !damaged).map(({ ptsMs }) => ptsMs)
  expect(undamaged).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9].map(at))
})

test('sound waits for the first picture, then is where it arrived; sender reports put it where it belongs', () => {
  const { taker, units } = rig([video, sound])
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 0 })
  const speak = (n: number, atMs: number) => {
    const header = rtpHeader({
      payloadType: 8,
      marker: false,
      sequence: n,
      timestamp: 77_000 + n * 160,
      ssrc: 2,
    })
    taker.rtp(1, Buffer.concat([header, new Uint8Array(160).fill(n + 1)]), atMs)
  }
  const report = (track: number, rtpTimestamp: number) =>
    taker.rtcp(track, senderReport({ ssrc: 1, wallMs: 500, rtpTimestamp, packets: 0, bytes: 0 }), 1000)
  speak(0, 990)
  for (const packet of packets(packetizer, 0, 0)) taker.rtp(0, packet, 1000)
  speak(1, 1010)
  // The same instant: picture 0, and sample 160 · 6: sound 1 was 100 ms before it.
  report(0, 0)
  report(1, 77_000 + 160 * 6)
  speak(10, 1110)
  const heard = units.filter(({ track }) => track === 'audio')
  expect(heard.map(({ ptsMs }) => ptsMs - 1_700_000_000_000)).toEqual([-10, 10, 80])
})

test('reports of a camera without a clock move no sound', () => {
  const { taker, units } = rig([video, sound])
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 0 })
  for (const packet of packets(packetizer, 0, 0)) taker.rtp(0, packet, 1000)
  const noClock = (rtpTimestamp: number) => {
    const report = senderReport({ ssrc: 1, wallMs: 0, rtpTimestamp, packets: 0, bytes: 0 })
    report.fill(0, 8, 16)
    return report
  }
  taker.rtcp(0, noClock(0), 1000)
  taker.rtcp(1, noClock(8 * 4000), 5000) // Four seconds later by both clocks.
  const header = rtpHeader({ payloadType: 8, marker: false, sequence: 0, timestamp: 8 * 4010, ssrc: 2 })
  taker.rtp(1, Buffer.concat([header, new Uint8Array(160)]), 5010)
  expect(units.at(-1)).toMatchObject({ track: 'audio', ptsMs: 1_700_000_004_010 })
})

test('lost sound is a gap between the frames that came', () => {
  const { taker, units, gaps } = rig([video, sound])
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 0 })
  for (const packet of packets(packetizer, 0, 0)) taker.rtp(0, packet, 1000)
  for (const n of [0, 1, 5, 6]) {
    const about = { payloadType: 8, marker: false, sequence: n, timestamp: n * 160, ssrc: 2 }
    taker.rtp(1, Buffer.concat([rtpHeader(about), new Uint8Array(160)]), 1000 + n * 20)
  }
  const heard = units.filter(({ track }) => track === 'audio').map(({ ptsMs }) => ptsMs)
  expect(heard.map((ms) => ms - (heard[0] ?? 0))).toEqual([0, 20, 100, 120])
  expect(gaps).toEqual([{ fromMs: heard[1], toMs: heard[2], cause: 'sequence' }])
})

test('sound without end before the first picture is bounded', () => {
  const { taker, units } = rig([video, sound])
  for (let n = 0; n < 1000; n += 1) {
    const about = { payloadType: 8, marker: false, sequence: n, timestamp: n * 160, ssrc: 2 }
    taker.rtp(1, Buffer.concat([rtpHeader(about), new Uint8Array(160)]), 1000 + n * 20)
  }
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 0 })
  for (const packet of packets(packetizer, 0, 0)) taker.rtp(0, packet, 21_000)
  expect(units.filter(({ track }) => track === 'audio')).toHaveLength(256)
  expect(units.at(-1)?.track).toBe('video')
})

test('a clock that jumps begins another epoch, and nothing stops', () => {
  const { taker, units } = rig([video])
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 0 })
  for (let n = 0; n < 4; n += 1)
    for (const packet of packets(packetizer, n, n < 2 ? 0 : 90 * 36_000_000))
      taker.rtp(0, packet, 1000 + n * 40)
  expect(units.map(({ epoch }) => epoch)).toEqual([0, 0, 1, 1])
  expect(units.map(({ ptsMs }) => ptsMs - 1_700_000_000_000)).toEqual([0, 40, 80, 120])
})

type Numbered = { sequence?: number; ssrc?: number }

/** Pictures 0 to 39; from `at` on the camera's numbering is another, or steps. */
function renumbered(at: number, change: Numbered, missing = 0) {
  const { taker, gaps, units } = rig([video])
  const before = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 1000 })
  const after = new H264Packetizer({ payloadType: 96, ssrc: 1, sequence: 1000, ...change })
  for (let n = 0; n < 40; n += 1) {
    if (n >= at && n < at + missing) continue
    for (const packet of packets(n < at ? before : after, n, 0)) taker.rtp(0, packet, 1000 + n * 40)
  }
  taker.end()
  const shown = units.map(({ ptsMs }) => (ptsMs - 1_700_000_000_000) / 40)
  const notShown = Array.from({ length: 40 }, (_, n) => n).filter((n) => !shown.includes(n))
  const spans = gaps.map(({ fromMs, toMs }) => [fromMs, toMs].map((ms) => (ms - 1_700_000_000_000) / 40))
  const damaged = units.filter((unit) => unit.damaged).map(({ ptsMs }) => (ptsMs - 1_700_000_000_000) / 40)
  return { spans, notShown, damaged }
}

test.each<[string, number, Numbered, number]>([
  ['numbers leap far ahead: it dropped more than a window', 20, { sequence: 40_000 }, 5],
  ['numbers leap far ahead, and nothing is missing', 20, { sequence: 40_000 }, 0],
  ['numbers leap back a little', 20, { sequence: 600 }, 0],
  ['another source of the same camera', 20, { ssrc: 2 }, 5],
])('%s: a picture that is not there is in a gap', (_name, at, change, missing) => {
  const { spans, notShown, damaged } = renumbered(at, change, missing)
  expect(notShown.length).toBeLessThanOrEqual(missing + 2)
  for (const n of [...notShown, ...damaged]) {
    expect(spans.some(([from = 0, to = 0]) => from < n && n <= to)).toBe(true)
  }
  expect(spans.length).toBeGreaterThan(0)
})
