import { expect, test } from 'vitest'
import { videoConfig } from '../../../../shared/media/codec-config.ts'
import { presentationOrder } from '../../../../shared/media/picture-order.ts'
import { bits, hex, ue } from '../../../support/hex.ts'

/** se(v), as text. */
const se = (value: number) => ue(value > 0 ? 2 * value - 1 : -2 * value)
const binary = (value: number, width: number) => value.toString(2).padStart(width, '0')

/** Main, 4 bits of frame_num, 4 bits of POC where it has them; progressive unless told. */
function config(poc: string, frameMbsOnly = 1) {
  const size = `${ue(19)}${ue(14)}${frameMbsOnly}${frameMbsOnly ? '' : '0'}1`
  const sps = bits(`01100111 01001101 00000000 00011110 ${ue(0)}${ue(0)}${poc}${ue(2)}0${size}00 1`)
  const pps = bits(`01101000 ${ue(0)}${ue(0)}00${ue(0)}${ue(0)}${ue(0)}000${ue(0)}${ue(0)}${ue(0)}000 1`)
  return videoConfig({ codec: 'h264', parameterSets: [sps, pps] })
}

type Picture = {
  idr?: boolean
  ref?: boolean
  frameNum: number
  order?: string
  rest?: string
  type?: number
}

function picture({ idr = false, ref = true, frameNum, order = '', rest = '', type = 5 }: Picture) {
  const header = idr ? 0x65 : ref ? 0x41 : 0x01
  const head = `${ue(0)}${ue(type)}${ue(0)}${binary(frameNum, 4)}${idr ? ue(0) : ''}${order}`
  return { nalUnits: [Uint8Array.of(header, ...bits(`${head}${rest}${'0'.repeat(40)}1`))] }
}

test('type 0: B pictures, and the count that wraps', () => {
  const type0 = config(`${ue(0)}${ue(0)}`)
  const frames: [number, number, boolean][] = [
    [1, 6, true], // Shown fourth.
    [2, 2, false],
    [2, 4, false],
    [2, 12, true],
    [3, 8, false],
    [3, 10, false],
    [3, 2, true], // 16 + 2
    [4, 14, false],
    [4, 0, false], // 16 + 0
  ]
  const pictures = frames.map(([frameNum, lsb, ref]) => picture({ frameNum, ref, order: binary(lsb, 4) }))
  const idr = picture({ idr: true, frameNum: 0, order: binary(0, 4) })
  expect(presentationOrder([idr, ...pictures], type0)).toEqual([0, 3, 1, 2, 6, 4, 5, 9, 7, 8])
})

test('type 0: pictures before an IDR are shown before it', () => {
  const type0 = config(`${ue(0)}${ue(0)}`)
  const idr = picture({ idr: true, frameNum: 0, order: binary(0, 4) })
  const p = picture({ frameNum: 1, order: binary(4, 4) })
  const b = picture({ frameNum: 2, ref: false, order: binary(2, 4) })
  expect(presentationOrder([idr, p, b, idr, p, b], type0)).toEqual([0, 2, 1, 3, 5, 4])
})

test('type 1: non-reference pictures are shown before the reference that they follow', () => {
  // One reference frame every 4 counts, a non-reference picture 2 before its place.
  const cycle = `${ue(1)}1${se(-2)}${se(0)}${ue(1)}${se(4)}`
  const idr = picture({ idr: true, frameNum: 0 })
  const p = (frameNum: number) => picture({ frameNum })
  const b = (frameNum: number) => picture({ frameNum, ref: false })
  expect(presentationOrder([idr, p(1), b(2), p(2), b(3)], config(cycle))).toEqual([0, 2, 1, 4, 3])
})

test('type 1: a delta in the slice shifts a picture', () => {
  const cycle = `${ue(1)}0${se(0)}${se(0)}${ue(1)}${se(4)}`
  const pictures = [
    picture({ idr: true, frameNum: 0, order: se(0) }),
    picture({ frameNum: 1, order: se(4) }),
    picture({ frameNum: 2, ref: false, order: se(-2) }),
  ]
  expect(presentationOrder(pictures, config(cycle))).toEqual([0, 2, 1])
})

test('type 2: decode order, over a wrap of frame_num', () => {
  const pictures = [
    picture({ idr: true, frameNum: 0 }),
    ...Array.from({ length: 40 }, (_, at) => picture({ frameNum: (at + 1) % 16 })),
  ]
  expect(presentationOrder(pictures, config(ue(2)))).toEqual(pictures.map((_, at) => at))
})

test('memory management operation 5 starts a new count, after all that was before', () => {
  const type0 = config(`${ue(0)}${ue(0)}`)
  const reset = `001${ue(1)}${ue(0)}${ue(5)}${ue(0)}` // No override, no list change, marking 1, 5, end.
  const pictures = [
    picture({ idr: true, frameNum: 0, order: binary(0, 4) }),
    picture({ frameNum: 1, order: binary(6, 4) }),
    picture({ frameNum: 2, order: binary(4, 4), rest: reset }),
    picture({ frameNum: 1, order: binary(4, 4) }),
    picture({ frameNum: 2, ref: false, order: binary(2, 4) }),
  ]
  expect(presentationOrder(pictures, type0)).toEqual([0, 1, 2, 4, 3])
})

test('the fields of a frame: bottom after top', () => {
  const interlaced = config(`${ue(0)}${ue(0)}`, 0)
  const field = (idr: boolean, bottom: number, lsb: number) => {
    const head = `${ue(0)}${ue(7)}${ue(0)}0000 1${bottom}${idr ? ue(0) : ''}${binary(lsb, 4)}`
    return { nalUnits: [Uint8Array.of(idr ? 0x65 : 0x41, ...bits(`${head}${'0'.repeat(40)}1`))] }
  }
  expect(
    presentationOrder(
      [field(true, 0, 0), field(false, 1, 1), field(false, 1, 3), field(false, 0, 2)],
      interlaced,
    ),
  ).toEqual([0, 1, 3, 2])
})

test('a picture that cannot be read is shown after the one before it; no picture, no order', () => {
  const type0 = config(`${ue(0)}${ue(0)}`)
  const idr = picture({ idr: true, frameNum: 0, order: binary(0, 4) })
  expect(presentationOrder([idr, { nalUnits: [hex('41')] }, { nalUnits: [] }], type0)).toEqual([0, 1, 2])
  expect(presentationOrder([], type0)).toEqual([])
})

test('says no to H.265', () => {
  const h265 = { ...config(ue(2)), codec: 'h265' as const }
  expect(() => presentationOrder([], h265)).toThrow(expect.objectContaining({ kind: 'FailedPrecondition' }))
})
