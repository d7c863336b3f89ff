import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  clientSide,
  findDigest,
  handshakeBytes,
  serverSide,
  sign,
} from '../../../../../agent/protocol/rtmp/digest.ts'
import {
  ClientHandshake,
  type HandshakeStep,
  ServerHandshake,
} from '../../../../../agent/protocol/rtmp/handshake.ts'
import { sharedPath } from '../../../../support/shared-data.ts'

const seven = (bytes: number) => new Uint8Array(bytes).fill(7)

test.each([0, 1] as const)('a digest of schema %i is found where it was put, and only whole', (schema) => {
  const packet = seven(handshakeBytes)
  sign(packet, schema, clientSide)
  expect(findDigest(packet, clientSide)?.schema).toBe(schema)
  expect(findDigest(packet, serverSide)).toBeUndefined()
  packet[1000] = 8
  expect(findDigest(packet, clientSide)).toBeUndefined()
})

test.skipIf(!sharedPath('data/rtmp'))('the digest of FFmpeg’s C1 in ../shared/data/rtmp is read', () => {
  const capture = readFileSync(sharedPath('data/rtmp', 'ffmpeg51_avc_aac.conn0.client.bin') ?? '')
  expect(findDigest(capture.subarray(1, 1 + handshakeBytes), clientSide)?.schema).toBe(1)
})

test('simple: S2 is C1 again, C2 is S1', () => {
  const c0c1 = Buffer.concat([Buffer.of(3), Buffer.alloc(8), seven(1528)])
  const server = new ServerHandshake((bytes) => new Uint8Array(bytes).fill(9))
  const { send, rest } = server.push(c0c1)
  expect(rest).toBeUndefined()
  expect(send).toHaveLength(1 + 2 * handshakeBytes)
  expect(Buffer.compare(send?.subarray(1 + handshakeBytes) ?? seven(0), c0c1.subarray(1))).toBe(0)
  expect(server.push(Buffer.concat([seven(handshakeBytes), Buffer.from('rest')]))).toEqual({
    rest: Buffer.from('rest'),
  })
})

test.each([
  [1, false],
  [7, true],
  [1000, true],
  [100_000, false],
])('both sides in pieces of %i bytes, digest %s; what follows is kept', (size, digest) => {
  const server = new ServerHandshake()
  const client = new ClientHandshake({ digest })
  const pieces = (bytes: Uint8Array) =>
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
  const toClient = pieces(client.begin()).map((piece) => server.push(piece).send ?? seven(0))
  const answers = pieces(Buffer.concat([...toClient, Buffer.from('hello')]))
  const [c2, behind] = through(answers, (piece) => client.push(piece))
  expect(c2).toHaveLength(handshakeBytes)
  expect(behind.toString()).toBe('hello')
  const [, question] = through(pieces(Buffer.concat([c2, Buffer.from('x')])), (piece) => server.push(piece))
  expect(question.toString()).toBe('x')
})

/** What was answered, and what came behind the handshake. */
function through(pieces: Uint8Array[], push: (piece: Uint8Array) => HandshakeStep): [Buffer, Buffer] {
  let send: Uint8Array = seven(0)
  const behind: Uint8Array[] = []
  let over = false
  for (const piece of pieces) {
    if (over) {
      behind.push(piece)
      continue
    }
    const step = push(piece)
    send = step.send ?? send
    over = step.rest !== undefined
    behind.push(step.rest ?? seven(0))
  }
  return [Buffer.from(send), Buffer.concat(behind)]
}

test.each([6, 0, 0x47])('version %i is refused', (version) => {
  expect(() => new ServerHandshake().push(Uint8Array.of(version))).toThrow(/speaks version/)
})
