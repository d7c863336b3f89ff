import { expect, test } from 'vitest'
import { formatPhonePacket, parsePhonePacket } from '../../../../agent/protocol/phone.ts'

const packet = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))

test('reads the header and returns a view of the payload, not a copy', () => {
  const message = packet('0000018bcfe56800 00000007 00000005 00000001 65')
  const { deviceMs, sequence, payload } = parsePhonePacket(message)

  expect({ deviceMs, sequence }).toEqual({ deviceMs: 1_700_000_000_000, sequence: 7 })
  expect(payload).toEqual(packet('0000000165'))
  expect(payload.buffer).toBe(message.buffer)
})

test('reads a message that is itself a view into a larger buffer', () => {
  const whole = packet('ffff 0000000000000001 ffffffff 00000001 41 ffff')
  expect(parsePhonePacket(whole.subarray(2, 19))).toEqual({
    deviceMs: 1,
    sequence: 0xffffffff,
    payload: packet('41'),
  })
})

test.each([
  ['shorter than a header', '0000018bcfe56800 00000007 000000', /15 bytes/],
  ['no bytes at all', '', /0 bytes/],
  ['payload cut off', '0000018bcfe56800 00000007 00000005 00000001', /says 5 bytes, got 4/],
  ['bytes after the payload', '0000018bcfe56800 00000007 00000001 6500', /says 1 bytes, got 2/],
  ['a length no message has', '0000018bcfe56800 00000007 ffffffff 65', /says 4294967295 bytes, got 1/],
  ['a time no clock can show', 'ffffffffffffffff 00000007 00000000', /out of range/],
  ['no picture', '0000018bcfe56800 00000007 00000000', /holds no picture/],
])('refuses a packet with %s', (_name, hex, message) => {
  expect(() => parsePhonePacket(packet(hex))).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  expect(() => parsePhonePacket(packet(hex))).toThrow(message)
})

test('writes what it reads', () => {
  const picture = { deviceMs: 5_000_000_000_123, sequence: 4_000_000_000, payload: packet('0000000165aa') }
  expect(parsePhonePacket(formatPhonePacket(picture))).toEqual(picture)
})
