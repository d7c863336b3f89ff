import { expect, test } from 'vitest'
import type { Jt1078Packet } from '../../../../agent/protocol/jt1078.ts'
import {
  InnerReader,
  writeData,
  writeDataHead,
  writeHeartbeat,
  writeSubscription,
} from '../../../../agent/protocol/vehicle-inner.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

const packet: Jt1078Packet = {
  version: 2016,
  flags: 0x81,
  marker: true,
  payloadType: 98,
  sequence: 0x1234,
  sim: '064959409438',
  channel: 3,
  dataType: 0,
  subPacket: 1,
  timestampMs: 0x0102030405,
  lastKeyMs: 40,
  lastMs: 65535,
  body: hex('0000000165'),
}

// Head 16, body 43, sequence 7, data from the JT1078 server; then the struct as a little-endian machine has it.
const wire = `
  10000000 2b000000 07000000 04000100
  0338944059490600
  64633130 12 c5 3412 064959409438 03 10 0504030201000000 2800 ffff 0500 0000000165`.replaceAll(/\s/g, '')

test('a data packet, bit by bit', () => {
  const body = writeData(packet) ?? Buffer.alloc(0)
  expect(Buffer.concat([writeDataHead(body.length, 7), body]).toString('hex')).toBe(wire)
  const [message] = new InnerReader().push(hex(wire))
  expect(message).toMatchObject({ kind: 'data', who: 'jt1078Server', device: '06495940943803' })
  expect(message?.kind === 'data' && { ...message.packet, body: [...message.packet.body] }).toEqual({
    ...packet,
    body: [...packet.body],
  })
})

test.each([
  [{ flags: 0x80 }, 12, '02'],
  [{ flags: 0xb1 }, 12, '1e'],
  [{ marker: false, payloadType: 6 }, 13, '0c'],
  [{ dataType: 3, subPacket: 0 }, 23, '03'],
  [{ dataType: 4, subPacket: 2 }, 23, '24'],
] as const)('%o', (change, at, byte) => {
  expect(writeData({ ...packet, ...change } as Jt1078Packet)?.toString('hex', at, at + 1)).toBe(byte)
})

test('a subscription, as a PC server says it', () => {
  const bytes = writeSubscription('subscribe', { who: 'pcServer', device: '06495940943803', sequence: 1 })
  expect(bytes.toString('hex')).toBe(
    `10000000 0e000000 01000000 02000300 ${Buffer.from('06495940943803').toString('hex')}`.replaceAll(
      ' ',
      '',
    ),
  )
  expect(new InnerReader().push(bytes)).toEqual([
    { kind: 'subscribe', who: 'pcServer', device: '06495940943803' },
  ])
})

test('takes a C string with what stands behind its end, a heartbeat, and a type that it does not know', () => {
  const body = Buffer.concat([Buffer.from('06495940943803'), Buffer.from([0, 0xcc])])
  const head = hex('10000000 10000000 02000000 03000200')
  expect(new InnerReader().push(Buffer.concat([head, body]))).toEqual([
    { kind: 'unsubscribe', who: 'webServer', device: '06495940943803' },
  ])
  const others = Buffer.concat([writeHeartbeat('pcClient', 3), hex('10000000 00000000 00000000 09000500')])
  expect(new InnerReader().push(others)).toEqual([
    { kind: 'heartbeat', who: 'pcClient' },
    { kind: 'other', type: 0x50009 },
  ])
})

test('a SIM of 20 digits fits only behind zeros', () => {
  expect(writeData({ ...packet, version: 2019, sim: '00000000064959409438' })).toEqual(writeData(packet))
  expect(writeData({ ...packet, version: 2019, sim: '10000000064959409438' })).toBeUndefined()
})

test.each([
  ['a head of another length', '11000000 00000000', /17 bytes/],
  ['a body that is too long', '10000000 ffffffff', /allowed are/],
  ['data that is none', '10000000 02000000 00000000 04000100 0000', /no packet/],
  ['data of another length', wire.replace('0500', '0600'), /no packet/],
  ['data without its mark', wire.replace('64633130', '64633131'), /no packet/],
])('refuses %s', (_name, text, message) => {
  expect(() => new InnerReader().push(hex(text))).toThrow(
    expect.objectContaining({ kind: 'InvalidArgument', message: expect.stringMatching(message) }),
  )
})
