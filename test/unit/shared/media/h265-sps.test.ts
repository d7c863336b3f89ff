import { expect, test } from 'vitest'
import { h265Profile, parseH265Sps } from '../../../../shared/media/h265-sps.ts'
import { bits, hex, ue } from '../../../support/hex.ts'

const refused = expect.objectContaining({ name: 'AppError', kind: 'InvalidArgument' })
const x265 = '42010102200000030090000003000003003ca009880b1dc8d96564924caf016808000003000800000300c840'

test('x265 Main 10, 300x170 in a conformance window', () => {
  expect(parseH265Sps(hex(x265))).toMatchObject({
    id: 0,
    vpsId: 0,
    temporalLayers: 1,
    temporalIdNested: true,
    general: { space: 0, highTier: false, profile: 2, compatibility: 0x20000000, level: 60 },
    chromaFormat: 1,
    bitDepthLuma: 10,
    bitDepthChroma: 10,
    width: 300,
    height: 170,
    maxNumReorderPics: 2,
  })
})

/** An SPS behind its profile: layers, size and reordering as given. */
function sps(fields: { layers?: number; width?: number; height?: number; window?: string; order?: string }) {
  const layers = fields.layers ?? 1
  const profile = '0000000101100000'.padEnd(88, '0')
  const subLayers = layers === 1 ? '' : `${'11'.repeat(layers - 1)}${'00'.repeat(9 - layers)}`
  const ofLayers = '0'.repeat(96 * (layers - 1))
  const size = `${ue(fields.width ?? 1920)}${ue(fields.height ?? 1088)}`
  const window = fields.window === undefined ? '0' : `1${fields.window}`
  const order = fields.order ?? `1${`${ue(4)}${ue(1)}${ue(0)}`.repeat(layers)}`
  const general = `${profile}01011101`
  const body = `${ue(3)}${ue(1)}${size}${window}${ue(0)}${ue(0)}${ue(4)}${order}`
  const payload = bits(
    `0000${(layers - 1).toString(2).padStart(3, '0')}1${general}${subLayers}${ofLayers}${body}1`,
  )
  // Emulation prevention, as an encoder would write it.
  const escaped: number[] = []
  for (const byte of payload) {
    if (byte <= 3 && escaped.at(-1) === 0 && escaped.at(-2) === 0) escaped.push(3)
    escaped.push(byte)
  }
  return Uint8Array.of(0x42, 0x01, ...escaped)
}

test('sub-layers are read past, and the highest layer tells the reordering', () => {
  const order = `1${ue(1)}${ue(0)}${ue(0)}${ue(2)}${ue(1)}${ue(0)}${ue(4)}${ue(3)}${ue(0)}`
  expect(parseH265Sps(sps({ layers: 3, order }))).toMatchObject({
    id: 3,
    temporalLayers: 3,
    width: 1920,
    height: 1088,
    maxNumReorderPics: 3,
  })
})

test('one ordering info may stand for all layers; the window is in chroma units', () => {
  const read = parseH265Sps(
    sps({ layers: 3, order: `0${ue(4)}${ue(2)}${ue(0)}`, window: `${ue(0)}${ue(0)}${ue(0)}${ue(4)}` }),
  )
  expect(read).toMatchObject({ maxNumReorderPics: 2, width: 1920, height: 1080 })
  expect(read.general.level).toBe(93)
})

test.each([
  ['nothing behind its header', hex('4201')],
  ['a profile and no more', hex(x265).subarray(0, 20)],
  ['a width of 2³¹', sps({ width: 2 ** 31 })],
  ['a height of 0', sps({ height: 0 })],
  ['a window larger than the picture', sps({ window: `${ue(900)}${ue(900)}${ue(0)}${ue(0)}` })],
  ['more reordering than pictures that it keeps', sps({ order: `1${ue(1)}${ue(2)}${ue(0)}` })],
  ['eight temporal layers', Uint8Array.of(0x42, 0x01, 0x0f, ...new Uint8Array(60))],
])('refuses an SPS with %s', (_name, nal) => {
  expect(() => parseH265Sps(nal)).toThrow(refused)
})

test('the profile can be had of an SPS that is cut behind it', () => {
  expect(h265Profile(hex(x265).subarray(0, 20))).toMatchObject({ profile: 2, level: 60 })
})
