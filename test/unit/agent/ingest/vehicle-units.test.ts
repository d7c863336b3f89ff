import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Jt1078Parser } from '../../../../agent/protocol/jt1078-parser.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import { isDropped, isParameterSet, nalType, splitAnnexB } from '../../../../shared/media/nal.ts'
import { hex } from '../../../support/hex.ts'
import { sharedPath } from '../../../support/shared-data.ts'
import {
  annexB,
  bytesOf,
  parseAll,
  picture,
  pps,
  slice,
  sps,
  unitsRig,
  VehicleLine,
} from '../../../support/vehicle-packets.ts'

const isVideo = ({ track }: AccessUnit) => track === 'video'
const times = (units: readonly AccessUnit[]) => units.map(({ ptsMs }) => ptsMs - (units[0]?.ptsMs ?? 0))

test('a picture is there 20 ms after its last packet, or with the next', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  rig.feed(line.key(1000), 0)
  rig.channel.tick(10, 10)
  expect(rig.units).toEqual([])
  rig.channel.tick(20, 20)
  expect(rig.units).toMatchObject([{ track: 'video', idr: true, arrivalMs: 0, ptsMs: 1_800_000_000_000 }])
  rig.feed([...line.picture(1040), ...line.picture(1080)], 40)
  expect(times(rig.units)).toEqual([0, 40])
  expect(rig.held.bytes).toBeGreaterThan(0)
  rig.channel.end()
  expect(times(rig.units)).toEqual([0, 40, 80])
  expect(rig.held.bytes).toBe(0)
})

test('parameter sets, SEI and picture as packets of their own with one timestamp are one unit', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  for (const nal of [sps, pps, hex('0605ffff'), slice(5)]) {
    rig.feed(line.packets({ dataType: 0, timestampMs: 5, body: annexB(nal) }), 0)
  }
  rig.feed(line.picture(45), 40)
  expect(rig.units).toHaveLength(1)
  expect(rig.units[0]?.nalUnits.map(([first]) => first)).toEqual([0x06, 0x65])
  expect(rig.units[0]).toMatchObject({ idr: true, config: { width: 352, height: 288 } })
})

test('slices of one timestamp are one unit; after one that came late the device is waited for', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  const second = () => line.packets({ timestampMs: 40, body: annexB(slice(1, 40, false)) })
  rig.feed(line.key(0), 0)
  rig.feed([...line.picture(40), ...second()], 40)
  rig.channel.tick(80, 80)
  expect(rig.units.map(({ nalUnits }) => nalUnits.length)).toEqual([1, 2])

  rig.feed(line.picture(80), 80)
  rig.channel.tick(110, 110)
  rig.feed(line.packets({ timestampMs: 80, body: annexB(slice(1, 40, false)) }), 111)
  rig.feed(line.picture(120), 120)
  expect(rig.units.map(({ damaged }) => damaged ?? false)).toEqual([false, false, false, true])
  expect(times(rig.units)).toEqual([0, 40, 80, 80])
  rig.channel.tick(200, 200)
  expect(rig.units).toHaveLength(4) // It is waited for now.
  rig.feed(line.picture(160), 201)
  expect(rig.units).toHaveLength(5)
})

test('sound between the parts of a picture disturbs neither', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  line.bodyBytes = 30
  const [head, ...rest] = line.key(0)
  const sound = line.sound(0, new Uint8Array(20))
  const onWire = [head, ...sound, ...rest].flatMap((packet, sequence) =>
    packet ? [{ ...packet, sequence }] : [],
  )
  rig.feed(onWire, 0)
  rig.channel.tick(30, 30)
  expect(rig.lost).toBe(0)
  expect(rig.units.map(({ track, damaged }) => [track, damaged])).toEqual([
    ['audio', undefined],
    ['video', undefined],
  ])
})

test('a clock that stands still: pictures stay apart, and go by their arrival', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  for (let i = 0; i < 100; i += 1) rig.feed(i % 25 === 0 ? line.key(7) : line.picture(7), i * 40)
  rig.channel.end()
  expect(rig.units).toHaveLength(100)
  const late = rig.units.slice(60)
  expect(late.every(({ timeSource }) => timeSource === 'arrival')).toBe(true)
  expect(times(late).slice(0, 3)).toEqual([0, 40, 80])
})

test('a clock of 32 bits wraps without a trace', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  const at = (ms: number) => (2 ** 32 - 100 + ms) % 2 ** 32
  for (let ms = 0; ms < 400; ms += 40) {
    rig.feed(ms === 0 ? line.key(at(ms)) : line.picture(at(ms)), ms)
    rig.feed(line.sound(at(ms)), ms)
  }
  rig.channel.end()
  expect(new Set(rig.units.map(({ epoch }) => epoch)).size).toBe(1)
  expect(times(rig.units.filter(isVideo))).toEqual([0, 40, 80, 120, 160, 200, 240, 280, 320, 360])
  expect(times(rig.units.filter(({ track }) => track === 'audio'))).toEqual(times(rig.units.filter(isVideo)))
})

// RELIABILITY.md D5.
test.each([
  ['back 10 s', (ms: number) => (ms < 400 ? 50_000 + ms : 40_000 + ms)],
  ['1 h ahead', (ms: number) => (ms < 400 ? ms : ms + 3_600_000)],
  ['u64 max', (ms: number) => (ms < 400 ? ms : 0xffff_ffff_ffff_ffffn)],
])('a clock that goes %s: every picture is kept, in order', (_name, stamp) => {
  const rig = unitsRig()
  const line = new VehicleLine()
  for (let ms = 0; ms < 4000; ms += 40) {
    rig.feed(ms % 1000 === 0 ? line.key(stamp(ms)) : line.picture(stamp(ms)), ms)
  }
  rig.channel.end()
  const shown = times(rig.units)
  expect(rig.units).toHaveLength(100)
  expect(shown.every((ms, i) => i === 0 || ms > (shown[i - 1] ?? 0))).toBe(true)
  expect(shown.at(-1)).toBeGreaterThan(3800)
  expect(shown.at(-1)).toBeLessThan(4100)
})

test('sound whose clock is another one is put where it arrived, its spacing kept', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  for (let i = 0; i < 5; i += 1) {
    rig.feed(i === 0 ? line.key(1_700_000_000_000) : line.picture(1_700_000_000_000 + i * 40), i * 40)
    rig.channel.tick(i * 40 + 20, i * 40 + 20)
    rig.feed(line.sound(500 + i * 40), i * 40 + 25 + i)
  }
  const sound = rig.units.filter(({ track }) => track === 'audio')
  expect(new Set(rig.units.map(({ epoch }) => epoch)).size).toBe(1)
  expect(times(sound)).toEqual([0, 40, 80, 120, 160])
  expect((sound[0]?.ptsMs ?? 0) - (rig.units[0]?.ptsMs ?? 0)).toBe(25)
})

test('a packet that is missing: the picture is kept as damaged, and a gap says so', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  rig.feed(line.key(0), 0)
  const parts = line.picture(40, 3000)
  rig.feed(
    parts.filter((_, i) => i !== 1),
    40,
  )
  rig.feed(line.picture(80), 80)
  rig.channel.end()
  const zero = rig.units[0]?.ptsMs ?? 0
  expect(rig.units.map(({ damaged }) => damaged ?? false)).toEqual([false, true, false])
  expect(rig.gaps).toEqual([{ fromMs: zero, toMs: zero + 40, cause: 'sequence' }])
  expect(rig.lost).toBe(1)
})

test('a picture whose head is missing is none, and the gap before the next says so', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  rig.feed(line.key(0), 0)
  rig.feed(line.picture(40, 3000).slice(1), 40)
  rig.feed(line.picture(80), 80)
  rig.channel.end()
  expect(times(rig.units)).toEqual([0, 80])
  expect(rig.gaps).toMatchObject([{ cause: 'sequence' }])
  expect(rig.refused.every((reason) => reason === 'part-without-first')).toBe(true)
})

test('parts that never end are given up after 3 s, or 2 MB', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  rig.feed(line.key(0), 0)
  rig.feed(line.picture(40, 3000).slice(0, 2), 40)
  rig.channel.tick(9000, 3000) // Nothing came at all: the network stood still.
  expect(rig.units).toHaveLength(1)
  rig.channel.tick(9050, 3050)
  rig.channel.tick(9070, 3050)
  expect(rig.units.map(({ damaged }) => damaged ?? false)).toEqual([false, true])
  expect(rig.held.bytes).toBe(0)

  const [first, middle] = line.picture(80, 60_000)
  line.bodyBytes = 60_000
  rig.feed(first ? [first] : [], 6200)
  for (let i = 0; i < 40 && middle; i += 1) {
    rig.feed([{ ...middle, sequence: (first?.sequence ?? 0) + 1 + i, body: new Uint8Array(60_000) }], 6200)
    expect(rig.held.bytes).toBeLessThanOrEqual(2 * 1024 * 1024)
  }
  expect(rig.refused).toContain('too-large')
  expect(rig.held.bytes).toBe(0)
})

// RELIABILITY.md D3.
test.each([
  ['wrap', [65_534, 65_535, 0, 1], 0],
  ['restart at 0', [700, 701, 0, 1], 0],
  ['step back by one', [700, 701, 700, 701], 0],
  ['all the same', [5, 5, 5, 5], 0],
  ['a gap of two', [10, 11, 14, 15], 2],
  ['a gap over the wrap', [65_535, 2, 3, 4], 2],
])('sequence numbers: %s', (_name, numbers, lost) => {
  const rig = unitsRig()
  const line = new VehicleLine()
  for (const [i, sequence] of numbers.entries()) {
    line.sequence = sequence
    rig.feed(i === 0 ? line.key(0) : line.picture(i * 40), i * 40)
  }
  rig.channel.end()
  expect(rig.lost).toBe(lost)
  expect(rig.units).toHaveLength(4)
  expect(rig.gaps).toHaveLength(lost > 0 ? 1 : 0)
})

test('numbers that pictures and sound have of their own are in order', () => {
  const rig = unitsRig()
  const [pictures, sound] = [new VehicleLine(), new VehicleLine()]
  sound.sequence = 9000
  for (let i = 0; i < 10; i += 1) {
    rig.feed(i === 0 ? pictures.key(0) : pictures.picture(i * 40), i * 40)
    rig.feed(sound.sound(i * 40), i * 40)
  }
  expect(rig.lost).toBe(0)
})

test('the same packet twice is taken once', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  const twice = [...line.key(0), ...line.picture(40)].flatMap((packet, i) =>
    i > 0 ? [packet, packet] : [packet],
  )
  rig.feed(twice, 0)
  rig.channel.end()
  expect(times(rig.units)).toEqual([0, 40])
  expect(rig.refused).toEqual(['duplicate'])
})

test('silence of a device that numbers nothing and whose clock stands still is not one packet again and again', () => {
  const rig = unitsRig()
  for (let i = 0; i < 10; i += 1) rig.feed(new VehicleLine().sound(7), i * 20)
  expect(rig.units).toHaveLength(10)
})

test('a small picture keeps no large read in memory', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  const rest = Buffer.alloc(60_000)
  const packets = new Jt1078Parser().push(
    Buffer.concat([bytesOf([...line.key(0), ...line.picture(40)]), rest]),
  )
  expect(packets[0]?.body.buffer.byteLength).toBeGreaterThan(60_000)
  rig.feed(packets, 0)
  rig.channel.end()
  const memory = rig.units.flatMap(({ nalUnits }) => nalUnits.map((nal) => nal.buffer.byteLength))
  expect(memory).toHaveLength(2)
  expect(Math.max(...memory)).toBeLessThan(10_000)
})

test('transparent data is told whole; other codecs are counted', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  line.bodyBytes = 10
  rig.feed(line.packets({ dataType: 4, payloadType: 91, body: new Uint8Array(25).fill(3) }), 0)
  rig.feed(line.packets({ payloadType: 101, body: picture() }), 0)
  rig.feed(line.packets({ dataType: 3, payloadType: 28, body: picture() }), 0)
  expect(rig.told).toEqual([{ bytes: Buffer.alloc(25, 3), payloadType: 91 }])
  expect(rig.refused).toEqual(['unknown-codec', 'unknown-codec'])
})

test('what cannot be read is the gap before the next picture', () => {
  const rig = unitsRig()
  const line = new VehicleLine()
  rig.feed(line.picture(0), 0)
  rig.feed(line.key(40), 40)
  rig.feed(line.packets({ timestampMs: 80, body: hex('ffffffff') }), 80)
  rig.feed(line.picture(120), 120)
  rig.channel.end()
  expect(rig.refused).toEqual(['no-parameter-sets', 'bad-picture'])
  expect(rig.gaps).toMatchObject([{ cause: 'bad-packet', units: 1 }])
  expect(times(rig.units)).toEqual([0, 80])
})

const truthSchema = z.record(
  z.string(),
  z.object({
    streams: z.record(z.string(), z.object({ units: z.number(), unit_ts_delta_ms: z.array(z.number()) })),
  }),
)
const truthPath = sharedPath('data', 'jt1078', 'truth.json')

test.skipIf(truthPath === undefined)('captures: every NAL unit, every timestamp', () => {
  const truth = truthSchema.parse(JSON.parse(readFileSync(truthPath ?? '', 'utf8')))
  for (const [file, { streams }] of Object.entries(truth)) {
    const packets = parseAll(readFileSync(sharedPath('data', 'jt1078', file) ?? ''))
    const rig = unitsRig()
    const zero = Number(packets[0]?.timestampMs)
    for (const packet of packets) rig.feed([packet], Number(packet.timestampMs) - zero)
    rig.channel.end()
    expect([rig.gaps, rig.refused, rig.lost]).toEqual([[], [], 0])
    for (const [name, expected] of Object.entries(streams)) {
      const track = name.endsWith('video') ? 'video' : 'audio'
      const units = rig.units.filter((unit) => unit.track === track)
      expect(units).toHaveLength(expected.units)
      const shown = times(units)
      expect(shown.slice(1).map((ms, i) => ms - (shown[i] ?? 0))).toEqual(expected.unit_ts_delta_ms)
      const bodies = packets
        .filter(({ dataType }) => dataType < 3 === (track === 'video'))
        .map(({ body }) => body)
      const wire = Buffer.concat(bodies)
      const out = units.flatMap(({ nalUnits }) => nalUnits)
      if (track === 'audio') expect(Buffer.concat(out)).toEqual(wire)
      else expect(out).toEqual(splitAnnexB(wire).filter(isKept))
    }
  }
})

/** Parameter sets stand in the configuration. */
function isKept(nal: Uint8Array): boolean {
  const type = nalType('h264', nal)
  return !isParameterSet('h264', type) && !isDropped('h264', type)
}
