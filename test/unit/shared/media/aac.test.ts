import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { adtsHeader, parseAudioSpecificConfig, splitAdts } from '../../../../shared/media/aac.ts'
import { bits, hex } from '../../../support/hex.ts'
import { hasProgram, sharedPath } from '../../../support/shared-data.ts'

test.each([
  ['AAC-LC 44.1 kHz stereo', hex('1210'), 44100, 2, 1024, 'mp4a.40.2'],
  ['the same with the tail of FFmpeg (no SBR)', hex('121056e500'), 44100, 2, 1024, 'mp4a.40.2'],
  ['AAC-LC 48 kHz 5.1', hex('11b0'), 48000, 6, 1024, 'mp4a.40.2'],
  ['7.1 is index 7', hex('11b8'), 48000, 8, 1024, 'mp4a.40.2'],
  ['frames of 960', hex('1214'), 44100, 2, 960, 'mp4a.40.2'],
  ['a rate in 24 bits', bits('00010 1111 000000000011111010000000 0001 0 0 0'), 16000, 1, 1024, 'mp4a.40.2'],
  ['HE-AAC told in front', hex('2b118800'), 48000, 2, 2048, 'mp4a.40.5'],
  [
    'HE-AAC told in the tail',
    bits('00010 0110 0010 0 0 0 01010110111 00101 1 0011'),
    48000,
    2,
    2048,
    'mp4a.40.2',
  ],
  ['HE-AAC v2: one channel becomes two', hex('eb098800'), 48000, 2, 2048, 'mp4a.40.29'],
  ['AAC-LD', bits('10111 0011 0001 0'), 48000, 1, 512, 'mp4a.40.23'],
  ['AAC-ELD, type beyond 31', bits('11111 000111 0011 0001 1'), 48000, 1, 480, 'mp4a.40.39'],
  [
    'channels told by a program config element',
    bits('00010 0011 0000 0 0 0  0000 01 0011 0001 0000 0001 01 000 0000 0 0 0  1 0000  0 0001'),
    48000,
    4,
    1024,
    'mp4a.40.2',
  ],
])('AudioSpecificConfig: %s', (_name, bytes, sampleRate, channels, frameSamples, codecString) => {
  expect(parseAudioSpecificConfig(bytes)).toEqual({
    track: 'audio',
    codec: 'aac',
    specificConfig: bytes,
    sampleRate,
    channels,
    frameSamples,
    codecString,
  })
})

test.each([
  ['nothing', hex('')],
  ['one byte', hex('12')],
  ['rate index 13', bits('00010 1101 0010 000')],
  ['a rate of 0', bits(`00010 1111 ${'0'.repeat(24)} 0010 000`)],
  ['a rate of 16 MHz', bits(`00010 1111 ${'1'.repeat(24)} 0010 000`)],
  ['reserved channels', bits('00010 0011 1001 000')],
])('refuses a configuration with %s', (_name, bytes) => {
  expect(() => parseAudioSpecificConfig(bytes)).toThrow(
    expect.objectContaining({ name: 'AppError', kind: 'InvalidArgument' }),
  )
})

test('writes an ADTS header', () => {
  expect(adtsHeader(parseAudioSpecificConfig(hex('1210')), 200)).toEqual(hex('fff15080 19fffc'))
})

test('ADTS round trip', () => {
  const config = parseAudioSpecificConfig(hex('11b0'))
  const frames = [hex('0102'), new Uint8Array(0), new Uint8Array(8000).fill(7)]
  const bytes = Buffer.concat(frames.flatMap((frame) => [adtsHeader(config, frame.length), frame]))
  expect(splitAdts(Uint8Array.from(bytes))).toEqual({ config, frames })
  expect(splitAdts(Uint8Array.from(bytes.subarray(0, -1))).frames.length).toBe(2)
})

test('reads ADTS with a CRC and with the private bit, and past both', () => {
  const { config, frames } = splitAdts(hex('fff0 5080 017ffc abcd 0102 fff0 5280 017ffc abcd 0304'))
  expect(frames).toEqual([hex('0102'), hex('0304')])
  expect(config).toMatchObject({ sampleRate: 44100, channels: 2 })
})

test.each([
  ['ADTS that is none', () => splitAdts(hex('00112233445566')), /at byte 0/],
  [
    'ADTS with rubbish behind a frame',
    () => splitAdts(hex('fff1508001 3ffc 0102 00000000000000')),
    /at byte 9/,
  ],
  ['a length shorter than the header', () => splitAdts(hex('fff15080 003ffc 0102')), /at byte 0/],
  ['a change of channels', () => splitAdts(hex('fff15080 013ffc 0102 fff15040 013ffc 0102')), /at byte 9/],
  ['nothing', () => splitAdts(hex('')), /at byte 0/],
  ['a frame too long for ADTS', () => adtsHeader(parseAudioSpecificConfig(hex('1210')), 8185), /too long/],
  [
    'a codec that ADTS cannot carry',
    () => adtsHeader(parseAudioSpecificConfig(bits('10111 0011 0001 0')), 10),
    /cannot carry/,
  ],
])('refuses %s', (_name, act, message) => {
  expect(act).toThrow(message)
})

const recording = sharedPath('data/h264/jmuxer__000.aac')

test.skipIf(!recording || !hasProgram('ffprobe'))(
  'splits a real ADTS file into as many frames as ffprobe',
  () => {
    const path = recording ?? ''
    const { config, frames } = splitAdts(readFileSync(path))
    const args = [
      '-v',
      'error',
      '-count_packets',
      '-show_entries',
      'stream=sample_rate,channels,nb_read_packets',
    ]
    const [rate, channels, packets] = execFileSync('ffprobe', [...args, '-of', 'csv=p=0', path])
      .toString()
      .trim()
      .split(',')
      .map(Number)
    expect([config.sampleRate, config.channels, frames.length]).toEqual([rate, channels, packets])
  },
)
