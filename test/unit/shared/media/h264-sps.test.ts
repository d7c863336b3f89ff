import { expect, test } from 'vitest'
import { parseH264Sps } from '../../../../shared/media/h264-sps.ts'
import { bits, hex, ue } from '../../../support/hex.ts'

const refused = expect.objectContaining({ name: 'AppError', kind: 'InvalidArgument' })

/** A Baseline SPS of so many macroblocks, spelt out. */
function sps(fields: {
  id?: number
  frameNum?: number
  poc?: string
  mbs?: [number, number]
  crop?: string
}) {
  const [width, height] = fields.mbs ?? [40, 30]
  const order = fields.poc ?? `${ue(0)}${ue(0)}`
  const head = `01100111 01000010 00000000 00011110 ${ue(fields.id ?? 0)}${ue(fields.frameNum ?? 0)}`
  const crop = fields.crop === undefined ? '0' : `1${fields.crop}`
  return bits(`${head}${order}${ue(1)}0${ue(width - 1)}${ue(height - 1)}11${crop}0 1`)
}

test.each([
  [
    'x264 High 720p',
    '6764001facd9405005bb0110000003001000000303c0f1831960',
    { width: 1280, height: 720, maxNumReorderFrames: 2, frameRate: 30 },
  ],
  [
    'cropping to 300x168',
    '2742e01f8d8d302c12e38707c3e8',
    { width: 300, height: 168, widthMbs: 22, heightMbs: 18 },
  ],
  [
    'Main without timing',
    '274d400da918283e600d418041adb0ad7bdf01',
    { width: 320, height: 240, profile: 77, level: 13 },
  ],
  [
    'cropping to 854',
    '6764001eacd940d83de6e6a0202036e0000003002000000601e2c5b2c0',
    { width: 854, height: 480, frameRate: 24 },
  ],
  [
    'picture order type 2',
    '6742e01595982c4e40',
    { width: 176, height: 144, pictureOrder: { type: 2 }, constraints: 0xe0 },
  ],
])('SPS: %s', (_name, nal, expected) => {
  expect(parseH264Sps(hex(nal))).toMatchObject(expected)
})

test('picture order type 1, with its cycle', () => {
  const poc = `${ue(1)}0${ue(1)}${ue(2)}${ue(2)}${ue(3)}${ue(4)}`
  expect(parseH264Sps(sps({ poc })).pictureOrder).toEqual({
    type: 1,
    deltaAlwaysZero: false,
    offsetForNonRef: 1,
    offsetForTopToBottom: -1,
    offsetsForRefFrame: [2, -2],
  })
})

test('a VUI that is cut short costs the VUI, not the size', () => {
  const whole = hex('6764001facd9405005bb0110000003001000000303c0f1831960')
  expect(parseH264Sps(whole.subarray(0, 14))).toMatchObject({ width: 1280, height: 720 })
  expect(parseH264Sps(whole.subarray(0, 14)).maxNumReorderFrames).toBeUndefined()
})

test.each([
  ['nothing but a header', hex('67')],
  ['four bytes', hex('67 42 00 1e')],
  ['a width of 2³¹', sps({ mbs: [2 ** 27, 30] })],
  ['a height past level 6.2', sps({ mbs: [40, 1057] })],
  ['cropping of all it has', sps({ crop: `${ue(160)}${ue(160)}${ue(0)}${ue(0)}` })],
  ['cropping of 2³²', sps({ crop: `${ue(2 ** 32 - 2)}${ue(0)}${ue(0)}${ue(0)}` })],
  ['an id that is none', sps({ id: 32 })],
  ['log2_max_frame_num of 17', sps({ frameNum: 13 })],
  ['picture order type 3', sps({ poc: ue(3) })],
  ['a code of 33 zeros', bits(`01100111 01000010 00000000 00011110 ${'0'.repeat(40)}1`)],
])('refuses an SPS with %s', (_name, nal) => {
  expect(() => parseH264Sps(nal)).toThrow(refused)
})
