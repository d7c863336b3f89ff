import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { splitAccessUnits, VideoUnitParser } from '../../../../shared/media/access-unit-parser.ts'
import { encodeAvcC, encodeHvcC, parseAvcC, parseHvcC } from '../../../../shared/media/codec-config.ts'
import { joinAnnexB, nalType, splitAnnexB, splitLengthPrefixed } from '../../../../shared/media/nal.ts'
import { presentationOrder } from '../../../../shared/media/picture-order.ts'
import { DecodeTimes } from '../../../../shared/media/reorder.ts'
import { hasProgram, sharedPath } from '../../../support/shared-data.ts'

// Real recordings beside the repository; without them these tests skip themselves.
const manifest = sharedPath('data/MANIFEST.md')
const rows = manifest ? readFileSync(manifest, 'utf8').split('\n') : []

type Recording = {
  name: string
  path: string
  pictures: number
  idr: number
  width: number
  height: number
  shown: number
}

function recordings(): Recording[] {
  return rows.flatMap((row) => {
    const name = /^\| ((?:h264|phone)\/\S+)/.exec(row)?.[1]
    const measured = /(\d+)x(\d+); pictures (\d+), IDR (\d+).*ffmpeg frames (\d+)/.exec(row)
    const path = name && sharedPath('data', name)
    if (!name || !measured || !path) return []
    const [width = 0, height = 0, pictures = 0, idr = 0, shown = 0] = measured.slice(1).map(Number)
    return [{ name, path, pictures, idr, width, height, shown }]
  })
}

const found = recordings()

function parseAll(path: string) {
  const parser = new VideoUnitParser('h264')
  return splitAccessUnits(readFileSync(path), 'h264').map((unit) => {
    const picture = parser.parse(unit)
    if (!picture) throw new Error('an access unit without a picture')
    return picture
  })
}

test.skipIf(found.length === 0)('the manifest lists the H.264 files that are there', () => {
  const files = readdirSync(sharedPath('data/h264') ?? '').filter((file) => !/\.(aac|tsv)$/.test(file))
  expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(files.map((file) => `h264/${file}`)))
})

test.skipIf(found.length === 0).each(found)(
  '$name: pictures, IDRs and size are the manifest’s',
  (recording) => {
    const pictures = parseAll(recording.path)
    expect(pictures.length).toBe(recording.pictures)
    expect(pictures.filter(({ idr }) => idr).length).toBe(recording.idr)
    expect(pictures.filter(({ damaged }) => damaged).length).toBe(0)
    expect(new Set(pictures.map(({ config }) => config)).size).toBe(1)
    const config = pictures[0]?.config
    if (!config) throw new Error('no picture')
    expect([config.width, config.height]).toEqual([recording.width, recording.height])
    expect(parseAvcC(encodeAvcC(config)).config).toEqual(config)
  },
)

test.skipIf(found.length === 0).each(found)(
  '$name: no NAL unit is lost between file and units',
  ({ path }) => {
    const kept = parseAll(path).flatMap(({ nalUnits }) => nalUnits)
    const vcl = splitAnnexB(readFileSync(path), 1e6).filter((nal) =>
      [1, 2, 5, 6].includes(nalType('h264', nal)),
    )
    expect(kept.filter((nal) => nalType('h264', nal) !== 8).length).toBe(vcl.length)
  },
)

/** Decode index of each picture in the order in which FFmpeg shows them. */
function shownBy(path: string): number[] {
  const args = ['-v', 'quiet', '-f', 'h264', '-show_entries', 'frame=pkt_pos', '-of', 'csv=p=0', path]
  const positions = execFileSync('ffprobe', args, { maxBuffer: 64 << 20 })
    .toString()
    .split('\n')
    .flatMap((line) => (/^\d+/.test(line) ? [Number.parseInt(line, 10)] : []))
  const decoded = positions.toSorted((a, b) => a - b)
  return positions.map((position) => decoded.indexOf(position))
}

// Where FFmpeg shows fewer pictures than there are (a lost IDR), its order says nothing.
const comparable = found.filter(({ pictures, shown }) => pictures === shown)

test.skipIf(comparable.length === 0 || !hasProgram('ffprobe')).each(comparable)(
  '$name: display order is FFmpeg’s, and fits the reordering depth',
  ({ path }) => {
    const pictures = parseAll(path)
    const config = pictures[0]?.config
    if (!config) throw new Error('no picture')
    const places = presentationOrder(pictures, config)
    const shown = places.map((place, index) => ({ place, index })).sort((a, b) => a.place - b.place)
    expect(shown.map(({ index }) => index)).toEqual(shownBy(path))

    const times = new DecodeTimes(config.reorderDepth)
    const decoded = places.map((place) => times.next(1000 + place * 40))
    expect(times.clampedCount).toBe(0)
    expect(
      decoded.every(({ dtsMs, ptsMs }, at) => dtsMs <= ptsMs && dtsMs >= (decoded[at - 1]?.dtsMs ?? dtsMs)),
    ).toBe(true)
  },
)

const kvs = sharedPath('data/h264/kvs_640x480_403au.tsv')

test.skipIf(!kvs)('the KVS clip is cut where its sender cut it', () => {
  const bytes = readFileSync((kvs ?? '').replace('.tsv', '.264'))
  const cuts = readFileSync(kvs ?? '', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('\t').map(Number))
  const units = splitAccessUnits(bytes, 'h264')
  expect(units.map((unit) => [unit.byteOffset - bytes.byteOffset, unit.length])).toEqual(
    cuts.map(([, offset, length]) => [offset, length]),
  )
})

const hevc = sharedPath('data/flv/ff81_hevc_aac.flv')

/** Video tags of an Enhanced FLV: packet type, key frame, body behind the FourCC. */
function* videoTags(flv: Buffer) {
  for (let at = 13; at + 11 < flv.length; at += 15 + flv.readUIntBE(at + 1, 3)) {
    if (flv[at] !== 9) continue
    const body = flv.subarray(at + 11, at + 11 + flv.readUIntBE(at + 1, 3))
    yield { packet: (body[0] ?? 0) & 15, key: (((body[0] ?? 0) >> 4) & 7) === 1, body: body.subarray(5) }
  }
}

test.skipIf(!hevc)('H.265 of FFmpeg’s FLV: configuration, pictures and key frames', () => {
  const tags = [...videoTags(readFileSync(hevc ?? ''))]
  const record = tags.find(({ packet }) => packet === 0)?.body ?? new Uint8Array(0)
  const { config, lengthBytes } = parseHvcC(record)
  expect(config).toMatchObject({ width: 640, height: 368, codecString: 'hvc1.1.6.L63.90', reorderDepth: 2 })
  const own = encodeHvcC(config)
  expect(own.subarray(0, 22)).toEqual(Uint8Array.from(record.subarray(0, 22))) // Then FFmpeg adds x265's SEI.

  const parser = new VideoUnitParser('h265')
  parser.parse(joinAnnexB(config.parameterSets))
  const coded = tags.filter(({ packet }) => packet === 1 || packet === 3)
  const samples = coded.map(({ packet, body }) =>
    splitLengthPrefixed(body.subarray(packet === 1 ? 3 : 0), lengthBytes),
  )
  const pictures = samples.map((nalUnits) => parser.parse(joinAnnexB(nalUnits)))
  expect(pictures.map((picture) => picture?.randomAccess)).toEqual(coded.map(({ key }) => key))
  expect(pictures.every((picture) => picture?.damaged === false)).toBe(true)
  expect(splitAccessUnits(joinAnnexB(samples.flat()), 'h265').length).toBe(samples.length)
})

test.skipIf(!hasProgram('ffmpeg'))(
  'intra refresh: no IDR but the first, yet decoding can start at each recovery point',
  () => {
    const x264 = ['-c:v', 'libx264', '-x264-params', 'intra-refresh=1:keyint=10:bframes=0:log-level=-1']
    const source = ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=s=160x120:r=25:d=2', '-pix_fmt', 'yuv420p']
    const file = execFileSync('ffmpeg', [...source, ...x264, '-f', 'h264', '-'])
    const parser = new VideoUnitParser('h264')
    const pictures = splitAccessUnits(file, 'h264').map((unit) => parser.parse(unit))
    expect(pictures.length).toBe(50)
    expect(pictures.filter((picture) => picture?.idr).length).toBe(1)
    expect(pictures.filter((picture) => picture?.randomAccess).length).toBeGreaterThan(3)
  },
)
