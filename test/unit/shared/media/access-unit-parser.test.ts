import { expect, test } from 'vitest'
import { splitAccessUnits, VideoUnitParser } from '../../../../shared/media/access-unit-parser.ts'
import { joinAnnexB, nalType, splitAnnexB } from '../../../../shared/media/nal.ts'
import { bits, hex, ue } from '../../../support/hex.ts'

const sps = hex('6742e01595982c4e40') // 176x144, picture order type 2, log2_max_frame_num 8
const otherSps = hex('2742e01f8d8d302c12e38707c3e8') // The same id, 300x168.
const pps = hex('68ce3880')
const otherPps = hex('68de3880')
const aud = hex('09f0')
const recovery = hex('0606 01c080')

/** A slice: NAL header, first_mb, slice_type, PPS id, frame_num; of an IDR its id too. */
function slice(
  options: {
    idr?: boolean
    firstMb?: number
    type?: number
    ppsId?: number
    frameNum?: number
    ref?: boolean
  } = {},
) {
  const header = options.idr ? 0x65 : options.ref === false ? 0x01 : 0x41
  const frameNum = (options.frameNum ?? 0).toString(2).padStart(8, '0')
  const head = `${ue(options.firstMb ?? 0)}${ue(options.type ?? 7)}${ue(options.ppsId ?? 0)}${frameNum}`
  return Uint8Array.of(header, ...bits(`${head}${options.idr ? ue(1) : ''}1011`), 0xaa)
}

const idr = slice({ idr: true })
const parser = (...messages: Uint8Array[][]) => {
  const parser = new VideoUnitParser('h264')
  for (const message of messages) parser.parse(joinAnnexB(message))
  return parser
}
const parse = (target: VideoUnitParser, ...nalUnits: Uint8Array[]) => {
  const picture = target.parse(joinAnnexB(nalUnits))
  if (!picture) throw new Error('no picture')
  return picture
}
const types = (nalUnits: readonly Uint8Array[]) => nalUnits.map((nal) => nalType('h264', nal))

test('a picture: slices and SEI stay, AUD, filler, end of sequence and parameter sets go', () => {
  const second = slice({ idr: true, firstMb: 40 })
  const message = joinAnnexB([aud, sps, pps, recovery, idr, second, hex('0cff80'), hex('0a')])
  const picture = new VideoUnitParser('h264').parse(message)
  expect(picture).toMatchObject({ randomAccess: true, idr: true, damaged: false })
  expect(picture?.nalUnits).toEqual([recovery, idr, second])
  expect(picture?.nalUnits[1]?.buffer).toBe(message.buffer)
  expect(picture?.sizeBytes).toBe(12 + recovery.length + idr.length + second.length)
  expect(picture?.config).toMatchObject({ width: 176, height: 144, parameterSets: [sps, pps] })
})

test('parameter sets that come alone are remembered, and are no picture', () => {
  const target = new VideoUnitParser('h264')
  expect(target.parse(joinAnnexB([sps, pps]))).toBeUndefined()
  expect(target.parse(joinAnnexB([aud]))).toBeUndefined()
  expect(target.parse(hex('00000001'))).toBeUndefined()
  expect(parse(target, idr).config.parameterSets).toEqual([sps, pps])
})

test('the configuration does not hold on to the message that brought it', () => {
  const message = joinAnnexB([sps, pps, idr])
  const config = new VideoUnitParser('h264').parse(message)?.config
  expect(config?.parameterSets.every((nal) => nal.buffer !== message.buffer)).toBe(true)
})

test('the same bytes again are the same configuration; others are a new one', () => {
  const target = new VideoUnitParser('h264')
  const first = parse(target, sps, pps, idr).config
  expect(parse(target, slice({ frameNum: 1 })).config).toBe(first)
  expect(parse(target, sps, pps, idr).config).toBe(first)
  expect(parse(target, otherSps, sps, pps, idr).config).toBe(first)
  const second = parse(target, otherSps, pps, idr).config
  expect(second).not.toBe(first)
  expect(second).toMatchObject({ width: 300, height: 168, parameterSets: [otherSps, pps] })
  expect(first.parameterSets).toEqual([sps, pps])
})

test('several PPS: all are kept, by id', () => {
  const pps1 = bits(
    `01101000 ${ue(1)}${ue(0)}0 0 ${ue(0)}${ue(0)}${ue(0)} 0 00 ${ue(0)}${ue(0)}${ue(0)} 000 1`,
  )
  const target = parser([sps], [pps1], [pps])
  expect(parse(target, idr).config.parameterSets).toEqual([sps, pps, pps1])
})

test('several SPS: the one in force stands first', () => {
  const sps1 = bits(
    `01100111 01000010 00000000 00011110 ${ue(1)}${ue(0)}${ue(2)}${ue(1)}0${ue(39)}${ue(29)}11 0 0 1`,
  )
  const pps1 = bits(
    `01101000 ${ue(1)}${ue(1)}0 0 ${ue(0)}${ue(0)}${ue(0)} 0 00 ${ue(0)}${ue(0)}${ue(0)} 000 1`,
  )
  const target = parser([sps, sps1, pps, pps1])
  expect(parse(target, idr).config).toMatchObject({ width: 176, parameterSets: [sps, sps1, pps, pps1] })
  const switched = parse(target, slice({ idr: true, ppsId: 1 }))
  expect(switched.config).toMatchObject({ width: 640, parameterSets: [sps1, sps, pps, pps1] })
})

test('a PPS that changes within a GOP travels with its picture; the next IDR has it in its configuration', () => {
  const target = parser([sps, pps, idr])
  const { config } = parse(target, slice({ frameNum: 1 }))
  const changed = parse(target, otherPps, slice({ frameNum: 2 }))
  expect(changed.config).toBe(config)
  expect(changed.nalUnits).toEqual([otherPps, slice({ frameNum: 2 })])
  expect(types(parse(target, otherPps, slice({ frameNum: 3 })).nalUnits)).toEqual([1])
  target.parse(joinAnnexB([pps])) // Alone, and back again.
  expect(types(parse(target, slice({ frameNum: 4 })).nalUnits)).toEqual([8, 1])
  expect(parse(target, idr).config).toBe(config)
  expect(parse(target, otherPps, idr).config.parameterSets).toEqual([sps, otherPps])
})

test('parameter sets behind a picture belong to the next', () => {
  const target = new VideoUnitParser('h264')
  const first = parse(target, sps, pps, idr, otherSps)
  expect(first.config.width).toBe(176)
  expect(parse(target, idr).config.width).toBe(300)
})

test('a recovery point makes a random access picture that is no IDR', () => {
  const target = parser([sps, pps])
  expect(parse(target, recovery, slice())).toMatchObject({ randomAccess: true, idr: false })
  expect(parse(target, slice({ frameNum: 1 }))).toMatchObject({ randomAccess: false, idr: false })
})

test('SEI that comes in a message of its own goes to the next picture', () => {
  const target = parser([sps, pps], [recovery], [aud])
  expect(parse(target, slice())).toMatchObject({ randomAccess: true, nalUnits: [recovery, slice()] })
  expect(types(parse(target, slice({ frameNum: 1 })).nalUnits)).toEqual([1])
})

test.each([
  ['a forbidden bit', joinAnnexB([Uint8Array.of(0xc1, 0x9a, 0xaa)])],
  ['a slice without a header', joinAnnexB([hex('41')])],
  ['a PPS that never came', joinAnnexB([slice({ ppsId: 9 })])],
  ['stray bytes before the first start code', Uint8Array.of(0xde, 0xad, ...joinAnnexB([slice()]))],
])('%s: kept, and said to be damaged', (_name, message) => {
  const picture = parser([sps, pps, idr]).parse(message)
  expect(picture).toMatchObject({ damaged: true, config: { width: 176 } })
})

test('a longer run of zeros before the first start code is no damage', () => {
  expect(parser([sps, pps]).parse(hex('0000000000000165b8a8aa'))).toMatchObject({ damaged: false })
})

test('an SPS of four bytes that cannot be read is good enough', () => {
  const picture = parse(new VideoUnitParser('h264'), hex('6742c01e'), pps, idr)
  expect(picture.config).toMatchObject({ width: 0, height: 0, codecString: 'avc1.42c01e' })
})

test('a rotation is in the configuration from the next random access picture on', () => {
  const target = parser([sps, pps, idr])
  target.rotation = 90
  expect(parse(target, slice({ frameNum: 1 })).config.rotation).toBe(0)
  expect(parse(target, idr).config.rotation).toBe(90)
})

test('length-prefixed samples are parsed the same', () => {
  const picture = new VideoUnitParser('h264').parseNalUnits([sps, pps, idr])
  expect(picture).toMatchObject({ idr: true, nalUnits: [idr] })
})

test.each([
  ['no Annex B', 'InvalidArgument', [], hex('0102030405')],
  ['a picture before its parameter sets', 'FailedPrecondition', [], joinAnnexB([idr])],
  ['a picture before its PPS', 'FailedPrecondition', [sps], joinAnnexB([idr])],
])('refuses %s', (_name, kind, before, message) => {
  expect(() => parser(before).parse(message)).toThrow(expect.objectContaining({ name: 'AppError', kind }))
})

test('a source cannot fill the memory with parameter sets', () => {
  const target = parser([sps])
  const flood = () => {
    for (let id = 0; id < 256; id++) {
      const big = Uint8Array.of(
        ...bits(`01101000 ${ue(id)}${ue(0)}0011111111`),
        ...new Uint8Array(4000).fill(0xaa),
      )
      target.parse(joinAnnexB([big]))
    }
  }
  expect(flood).toThrow(expect.objectContaining({ kind: 'ResourceExhausted' }))
})

// --- Elementary streams

const pictures = (...nalUnits: Uint8Array[]) =>
  splitAccessUnits(joinAnnexB(nalUnits), 'h264').map((unit) => types(splitAnnexB(unit)))

test('several slices are one picture, also in any order, also redundant ones', () => {
  const p = (firstMb: number, frameNum: number) => slice({ firstMb, frameNum })
  expect(pictures(sps, pps, idr, slice({ idr: true, firstMb: 40 }), p(0, 1), p(40, 1), p(0, 2))).toEqual([
    [7, 8, 5, 5],
    [1, 1],
    [1],
  ])
  expect(pictures(sps, pps, p(40, 1), p(0, 1), p(40, 2), p(0, 2))).toEqual([
    [7, 8, 1, 1],
    [1, 1],
  ])
  const redundant = bits(
    `01101000 ${ue(0)}${ue(0)}0 0 ${ue(0)}${ue(0)}${ue(0)} 0 00 ${ue(0)}${ue(0)}${ue(0)} 001 1`,
  )
  const copy = (count: number) =>
    Uint8Array.of(0x41, ...bits(`${ue(0)}${ue(7)}${ue(0)}00000001${ue(count)}1011`), 0xaa)
  expect(pictures(sps, redundant, copy(0), copy(1))).toEqual([[7, 8, 1, 1]])
})

test('AUD, SEI and parameter sets open the picture that follows; filler and ends close the one before', () => {
  const p = slice({ frameNum: 1 })
  expect(
    pictures(aud, sps, pps, recovery, idr, hex('0cff80'), aud, recovery, p, hex('0a'), hex('0b')),
  ).toEqual([
    [9, 7, 8, 6, 5, 12],
    [9, 6, 1, 10, 11],
  ])
  expect(pictures(sps, pps, idr, sps, pps, idr, sps)).toEqual([
    [7, 8, 5],
    [7, 8, 5, 7],
  ])
})

test('two equal pictures in a row are two; without parameter sets, first_mb 0 tells', () => {
  expect(pictures(sps, pps, slice(), slice())).toEqual([[7, 8, 1], [1]])
  expect(pictures(slice(), slice({ firstMb: 4 }), slice())).toEqual([[1, 1], [1]])
})

test('partitions B and C go with their A', () => {
  const partition = (type: number) => Uint8Array.of(type, ...slice().subarray(1))
  expect(pictures(sps, pps, partition(2), partition(3), partition(4), partition(2))).toEqual([
    [7, 8, 2, 3, 4],
    [2],
  ])
})

test('the units are views that together are the file', () => {
  const file = joinAnnexB([sps, pps, idr, slice({ frameNum: 1 }), slice({ frameNum: 2 })])
  const units = splitAccessUnits(file, 'h264')
  expect(Buffer.concat(units).equals(file)).toBe(true)
  expect(units[0]?.buffer).toBe(file.buffer)
  expect(splitAccessUnits(joinAnnexB([sps, pps]), 'h264')).toEqual([])
  expect(splitAccessUnits(new Uint8Array(0), 'h264')).toEqual([])
})

test('H.265: the first slice segment opens a picture', () => {
  const nal = (type: number, byte: number) => Uint8Array.of(type << 1, 1, byte, 0xaa)
  const file = joinAnnexB([
    nal(39, 1),
    nal(21, 0xa0),
    nal(21, 0x20),
    nal(40, 1),
    nal(1, 0xc0),
    nal(35, 0x50),
    nal(1, 0xc0),
  ])
  const split = splitAccessUnits(file, 'h265').map((unit) => splitAnnexB(unit).map((n) => nalType('h265', n)))
  expect(split).toEqual([[39, 21, 21, 40], [1], [35, 1]])
})

test('H.265: IDR, CRA and trailing pictures', () => {
  const sets = [
    '40010c01ffff02200000030090000003000003003c959009',
    '42010102200000030090000003000003003ca009880b1dc8d96564924caf016808000003000800000300c840',
    '4401c172b46240',
  ].map(hex)
  const target = new VideoUnitParser('h265')
  const picture = (type: number) => target.parse(joinAnnexB([Uint8Array.of(type << 1, 1, 0xe0, 0xaa)]))
  target.parse(joinAnnexB(sets))
  expect(picture(20)).toMatchObject({
    randomAccess: true,
    idr: true,
    config: { parameterSets: sets, width: 300 },
  })
  expect(picture(21)).toMatchObject({ randomAccess: true, idr: false })
  expect(picture(1)).toMatchObject({ randomAccess: false, idr: false, damaged: false })
})
