import { expect, test } from 'vitest'
import { decodeImaAdpcm } from '../../../../shared/media/ima-adpcm.ts'
import { hex } from '../../../support/hex.ts'
import { hasProgram } from '../../../support/shared-data.ts'
import { adpcmUnits, noise, toPcm } from '../../../support/sound-units.ts'

const pcmOf = (unit: Uint8Array) => {
  const bytes = decodeImaAdpcm(unit)
  return [...new Int16Array(bytes.buffer)]
}

test.each([
  ['a header alone', '00000000', []],
  ['less than a header', '0102', []],
  ['the state goes on from the header', 'e8030000 00', [1000, 1000]],
  ['a negative predictor', '18fc0000 00', [-1000, -1000]],
  ['the high bits first', '00000000 70', [11, 13]],
  ['the largest steps: held at 16 bits', 'ff7f5800 77', [32_767, 32_767]],
  ['and at the other end', '00805800 ff', [-32_768, -32_768]],
  ['an index beyond the table is its end', '0000ff00 08', [4095, 371]],
])('%s', (_name, text, samples) => {
  expect(pcmOf(hex(text))).toEqual(samples)
})

// FFmpeg reads the WAV form: low bits first, and the header's predictor is a sample.
test.skipIf(!hasProgram('ffmpeg'))(
  'decodes as FFmpeg does but for its rounding, when the bits stand as it wants them',
  () => {
    const [unit = new Uint8Array()] = adpcmUnits(noise(1600), 1600)
    const wav = Buffer.alloc(60)
    wav.write('RIFF')
    wav.writeUInt32LE(52 + unit.length, 4)
    wav.write('WAVEfmt ', 8)
    wav.writeUInt32LE(20, 16)
    wav.writeUInt16LE(0x11, 20)
    wav.writeUInt16LE(1, 22)
    wav.writeUInt32LE(8000, 24)
    wav.writeUInt32LE(4000, 28)
    wav.writeUInt16LE(unit.length, 32)
    wav.writeUInt16LE(4, 34)
    wav.writeUInt16LE(2, 36)
    wav.writeUInt16LE(1601, 38)
    wav.write('data', 40)
    wav.writeUInt32LE(unit.length, 44)
    const swapped = unit.map((byte, i) => (i < 4 ? byte : (byte << 4) | (byte >> 4)))
    const judge = toPcm(Buffer.concat([wav.subarray(0, 48), swapped]), ['-f', 'wav'])
    // It rounds a step once, the recommendation each of its parts.
    const worst = pcmOf(unit).map((value, i) => Math.abs(value - (judge[i + 1] ?? Number.NaN)))
    expect(Math.max(...worst)).toBeLessThan(64)
  },
)
