import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { FlvSource } from '../../../../agent/ingest/flv.ts'
import { type FlvTaken, FlvUnits } from '../../../../agent/ingest/flv-units.ts'
import type { AccessUnit } from '../../../../shared/media/access-unit.ts'
import type { FlvTag } from '../../../../shared/media/flv.ts'
import { flvAudioConfig, flvAudioFrame } from '../../../../shared/media/flv-audio.ts'
import { flvPicture, flvVideoConfig } from '../../../../shared/media/flv-video.ts'
import { hex } from '../../../support/hex.ts'
import { hasProgram, sharedPath } from '../../../support/shared-data.ts'
import {
  syntheticAudio,
  syntheticPicture,
  syntheticSound,
  syntheticVideo,
} from '../../../support/synthetic.ts'

const wallMs = 1_772_366_400_000
const moment = (ms: number) => ({ monotonicMs: 5000 + ms, wallMs: wallMs + ms })
const tag = (kind: FlvTag['kind'], timestampMs: number, parts: readonly Uint8Array[]): FlvTag => ({
  kind,
  timestampMs: timestampMs >>> 0,
  body: Buffer.concat(parts),
})
const videoConfig = (at = 0) => tag('video', at, flvVideoConfig(syntheticVideo))
const audioConfig = (at = 0) => tag('audio', at, flvAudioConfig(syntheticAudio) ?? [])
function picture(n: number, stampMs: number, compositionMs = 0): FlvTag {
  const unit = syntheticPicture(n)
  return tag('video', stampMs, flvPicture({ ...unit, ptsMs: unit.dtsMs + compositionMs }))
}
const sound = (stampMs: number) => tag('audio', stampMs, flvAudioFrame(syntheticSound(1)))

/** Tags that arrive when their stamps say, counted from the first. */
function feed(tags: readonly FlvTag[], arrive?: (tag: FlvTag, i: number) => number): FlvTaken[] {
  const units = new FlvUnits(moment(0))
  const first = tags[0]?.timestampMs ?? 0
  return tags.map((each, i) =>
    units.take(each, moment(arrive?.(each, i) ?? (each.timestampMs - first) >>> 0)),
  )
}
const unitsOf = (taken: readonly FlvTaken[]) => taken.flatMap(({ unit }) => (unit ? [unit] : []))
const times = (units: readonly AccessUnit[]) =>
  units.map(({ track, dtsMs, ptsMs, epoch }) => `${track[0]} ${dtsMs - wallMs} ${ptsMs - wallMs} ${epoch}`)

test('one timeline for sound and pictures, anchored to the arrival of the first; composition times are signed', () => {
  const taken = feed([
    videoConfig(7000),
    audioConfig(7000),
    picture(0, 7000, 80),
    sound(7010),
    picture(1, 7040, -40),
    sound(7033),
  ])
  expect(times(unitsOf(taken))).toEqual(['v 0 80 0', 'a 10 10 0', 'v 40 0 0', 'a 33 33 0'])
  expect(taken.every(({ refused, gap }) => !refused && !gap)).toBe(true)
})

test('stamps wrap at 2³² and nobody notices', () => {
  const start = 2 ** 32 - 100
  const taken = feed([videoConfig(start), ...[0, 1, 2, 3, 4].map((n) => picture(n, start + n * 40))])
  expect(times(unitsOf(taken))).toEqual(['v 0 0 0', 'v 40 40 0', 'v 80 80 0', 'v 120 120 0', 'v 160 160 0'])
})

test('sound is counted in samples, so that its frames are of one length', () => {
  const stamps = Array.from({ length: 100 }, (_, n) => Math.round((n * 1024_000) / 44_100) + (n % 2))
  const units = unitsOf(feed([audioConfig(), ...stamps.map((ms) => sound(ms))]))
  expect(units.map(({ ptsMs }) => ptsMs - wallMs)).toEqual(
    stamps.map((_, n) => Math.round((n * 1024_000) / 44_100)),
  )
})

test('a picture and a frame before their configuration are refused and counted; the gap says how many', () => {
  const taken = feed([picture(0, 0), sound(5), videoConfig(40), picture(10, 40)])
  expect(taken.map(({ refused }) => refused)).toEqual([
    'no-configuration',
    'no-configuration',
    undefined,
    undefined,
  ])
  expect(taken[3]?.gap).toMatchObject({ cause: 'bad-packet', units: 1 })
})

test('a picture that is malformed is refused, and a gap stands before the next', () => {
  const broken = tag('video', 40, [hex('2701000000 00000fff 65')])
  const taken = feed([videoConfig(), picture(0, 0), broken, picture(2, 80)])
  expect(taken[2]).toEqual({ refused: 'bad-picture' })
  expect(taken[3]?.gap).toEqual({ fromMs: wallMs, toMs: wallMs + 80, cause: 'bad-packet', units: 1 })
})

test('a configuration that comes again changes nothing, another one is another object', () => {
  const other = Buffer.concat(flvAudioConfig({ ...syntheticAudio, specificConfig: hex('1188') }) ?? [])
  const units = unitsOf(
    feed([
      audioConfig(),
      sound(0),
      audioConfig(23),
      sound(23),
      { ...audioConfig(46), body: other },
      sound(46),
    ]),
  )
  expect(units[1]?.config).toBe(units[0]?.config)
  expect(units[2]?.config).toMatchObject({ sampleRate: 48_000, channels: 1 })
})

test.each([
  ['a jump of ten hours', 36_000_000, 120, 1],
  ['a step back of five seconds', 5000, 120, 1],
  ['a step back of 30 ms: jitter', 9_970 + 40, 120, 0],
])('%s', (_name, stamp, arrival, epoch) => {
  const tags = [
    videoConfig(10_000),
    picture(0, 10_000),
    picture(1, 10_040),
    picture(2, stamp),
    picture(3, stamp + 40),
  ]
  const units = unitsOf(feed(tags, (_tag, i) => [0, 0, 40, arrival, arrival + 40][i] ?? 0))
  expect(units.map((unit) => unit.epoch)).toEqual([0, 0, epoch, epoch])
  const dts = units.map(({ dtsMs }) => dtsMs)
  expect(dts).toEqual(dts.toSorted((a, b) => a - b))
})

test('sound that is far behind its pictures is no clock that steps back', () => {
  const tags = [videoConfig(), audioConfig()]
  for (let n = 0; n < 100; n += 1) tags.push(picture(n, n * 40 + 4000), sound(n * 40))
  const units = unitsOf(feed(tags, (_tag, i) => i * 20))
  expect(new Set(units.map(({ epoch }) => epoch))).toEqual(new Set([0]))
  expect(units).toHaveLength(200)
})

test('AV1 and VP9 are passed on as they came', () => {
  const taken = feed([
    tag('video', 0, [hex('90 61763031 81002000')]),
    tag('video', 0, [hex('91 61763031 0a0b')]),
    tag('video', 40, [hex('a1 61763031 0c')]),
  ])
  const [key, inter] = unitsOf(taken)
  expect(key).toMatchObject({
    randomAccess: true,
    config: { codec: 'av1', parameterSets: [hex('81002000')] },
  })
  expect(inter?.randomAccess).toBe(false)
  expect(Buffer.concat(inter?.nalUnits ?? []).toString('hex')).toBe('0c')
  expect(Buffer.concat(flvVideoConfig(key?.config as never)).toString('hex')).toBe('906176303181002000')
})

test.each([
  ['G.711A', '72 d5d5d5', { codec: 'g711a', sampleRate: 8000, channels: 1 }],
  ['G.711U', '82 ffffff', { codec: 'g711u', sampleRate: 8000, channels: 1 }],
  ['MP3', '2f fffb9064 00', { codec: 'mp3', sampleRate: 44_100, channels: 2, frameSamples: 1152 }],
  ['MP3, Enhanced, of MPEG 2', '91 2e6d7033 fff384c4 00', { codec: 'mp3', sampleRate: 24_000, channels: 1 }],
])('%s needs no configuration', (_name, body, config) => {
  expect(unitsOf(feed([tag('audio', 0, [hex(body)])]))[0]?.config).toMatchObject(config)
})

test('Opus tells its channels in its configuration', () => {
  const head = '90 4f707573 4f70757348656164 01 02 3801 80bb0000 0000 00'
  const [unit] = unitsOf(feed([tag('audio', 0, [hex(head)]), tag('audio', 0, [hex('91 4f707573 fc00')])]))
  expect(unit?.config).toMatchObject({ codec: 'opus', sampleRate: 48_000, channels: 2 })
})

test('metadata is kept; what is none is refused', () => {
  const units = new FlvUnits(moment(0))
  const body = hex(
    '02 000d 4073657444617461 4672616d65 02 000a 6f6e4d65746144617461 08 00000001 0005 7769647468 00 4084000000000000 000009',
  )
  expect(units.take({ kind: 'script', timestampMs: 0, body }, moment(0))).toEqual({})
  expect(units.metadata).toMatchObject({ width: 640 })
  const bad = units.take({ kind: 'script', timestampMs: 0, body: hex('ff') }, moment(0))
  expect(bad.refused).toBe('bad-metadata')
})

test.skipIf(!sharedPath('data/flv'))(
  'a header that comes again with junk behind it, of a real broadcast, changes no picture',
  () => {
    const xml = readFileSync(
      sharedPath('data/flv', 'test__p3-mock-20210310-change_header_both.xml') ?? '',
      'utf8',
    )
    const header = /<Tag Type="(Video|Audio)" Flag="Header[^>]*>\s*<BinaryData>([0-9A-F]+)</g
    const tags = Array.from(xml.matchAll(header), ([, kind, body = ''], i) => {
      const head = tag(kind === 'Video' ? 'video' : 'audio', i * 100, [hex(body)])
      return [head, head.kind === 'video' ? picture(10 * i, i * 100) : sound(i * 100)]
    })
    const units = unitsOf(feed([...tags.flat(), picture(100, 500)]))
    expect(units.map(({ track }) => track[0]).join('')).toBe('vaavv')
    const video = units.filter(({ track }) => track === 'video').map(({ config }) => config)
    expect(video[0]).toMatchObject({ width: 1920, height: 1080 })
    expect(new Set(video).size).toBe(1)
  },
)

test('a header that changes in mid-stream is in force from the next key frame on', () => {
  const wide = tag('video', 80, [
    hex(
      '1700000000 01640028ffe1001d67640028acd940780227e59a808080a0000003002000000791e30632c001000468ef8fcb',
    ),
  ])
  const units = unitsOf(
    feed([videoConfig(), picture(0, 0), picture(1, 40), wide, picture(10, 80), picture(11, 120)]),
  )
  expect(units.map(({ config }) => (config.track === 'video' ? config.width : 0))).toEqual([
    640, 640, 1920, 1920,
  ])
  expect(units[3]?.config).toBe(units[2]?.config)
})

/** Decoding and presentation times as FFmpeg reads them, in the file's order. */
function ffprobeTimes(path: string, track: 'v' | 'a'): number[][] {
  const args = [
    '-v',
    'quiet',
    '-select_streams',
    track,
    '-show_entries',
    'packet=dts,pts',
    '-of',
    'csv=p=0',
    path,
  ]
  const lines = execFileSync('ffprobe', args, { maxBuffer: 1e8 }).toString().trim().split('\n')
  // Columns stand in FFmpeg's order: pts, dts.
  return lines.map((line) => line.split(',').slice(0, 2).map(Number)).map(([pts = 0, dts = 0]) => [dts, pts])
}

describe.skipIf(!sharedPath('data/flv') || !hasProgram('ffprobe'))(
  'files of ../shared/data/flv beside ffprobe',
  () => {
    test.each([
      'xgplayer__avc_aac.flv',
      'srs__bbb.flv',
      'media__sample.flv',
      'ant__test_short.flv',
      'test__sample.flv',
      'ff81_avc_aac.flv',
    ])('%s: every picture at its times, every frame within one of its stamp', (file) => {
      const path = sharedPath('data/flv', file) ?? ''
      const units = readFlv(path)
      const [video, audio] = (['video', 'audio'] as const).map((track) =>
        units.filter((unit) => unit.track === track),
      )
      const [wantedVideo, wantedAudio] = [ffprobeTimes(path, 'v'), ffprobeTimes(path, 'a')]
      // The first unit of the file is time 0 of ours, and whatever it is of FFmpeg's.
      const first = units[0]
      const zero = (first?.track === 'video' ? wantedVideo : wantedAudio)[0]?.[0] ?? 0
      const shown = (list: readonly AccessUnit[] | undefined) =>
        list?.map(({ dtsMs, ptsMs }) => [
          dtsMs - (first?.dtsMs ?? 0) + zero,
          ptsMs - (first?.dtsMs ?? 0) + zero,
        ])
      expect(shown(video)).toEqual(wantedVideo)
      expect(audio).toHaveLength(wantedAudio.length)
      const off = shown(audio)?.map(([dts = 0], i) => Math.abs(dts - (wantedAudio[i]?.[0] ?? 0)))
      expect(Math.max(...(off ?? []))).toBeLessThanOrEqual(24)
    })
  },
)

describe.skipIf(!sharedPath('data/flv'))('files of ../shared/data/flv', () => {
  test.each(['ff81_hevc_aac.flv', 'xgplayer__h264_pcma_channel1_8000.flv'])('%s is read', (file) => {
    const units = readFlv(sharedPath('data/flv', file) ?? '')
    for (const track of ['video', 'audio']) {
      expect(units.filter((unit) => unit.track === track).length).toBeGreaterThan(20)
    }
    expect(units.every(({ config }) => config.track === 'audio' || config.width > 0)).toBe(true)
  })
})

/** All units of a file that arrives ten times as fast as a line would bring it; nothing may be refused. */
function readFlv(path: string): AccessUnit[] {
  const bytes = readFileSync(path)
  const units: AccessUnit[] = []
  const refused: string[] = []
  const source = new FlvSource(moment(0), {
    unit: (unit) => void units.push(unit),
    gap: () => undefined,
    refused: (reason) => void refused.push(reason),
  })
  for (let at = 0, ms = 0; at < bytes.length; at += 4096, ms += 90) {
    source.push(bytes.subarray(at, at + 4096), moment(ms))
  }
  expect(refused).toEqual([])
  return units
}
