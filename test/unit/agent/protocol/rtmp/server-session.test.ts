import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ChunkReader } from '../../../../../agent/protocol/rtmp/chunk-reader.ts'
import {
  acknowledge,
  chunked,
  userControlEvent,
  windowSize,
} from '../../../../../agent/protocol/rtmp/chunk-writer.ts'
import { command, parseCommand, type RtmpMessage } from '../../../../../agent/protocol/rtmp/message.ts'
import { ServerSession, type SessionEvent } from '../../../../../agent/protocol/rtmp/server-session.ts'
import { AppError } from '../../../../../shared/error.ts'
import type { Amf0Value } from '../../../../../shared/media/amf0.ts'
import { hex } from '../../../../support/hex.ts'
import { sharedPath } from '../../../../support/shared-data.ts'

const hello = Buffer.concat([Buffer.of(3), Buffer.alloc(3072)])

/** A session past its handshake; `say` and `hear` speak in commands. */
function open() {
  const session = new ServerSession()
  session.push(hello)
  const reader = new ChunkReader()
  const hear = (events: readonly SessionEvent[]): string[] => {
    const messages: RtmpMessage[] = []
    for (const event of events) {
      if (event.kind === 'send') reader.push(event.bytes, (message) => messages.push(message))
    }
    return messages.map(summary)
  }
  const say = (streamId: number, name: string, transaction: number, ...values: Amf0Value[]) =>
    session.push(call(streamId, name, transaction, ...values))
  return { session, say, hear }
}

function call(streamId: number, name: string, transaction: number, ...values: Amf0Value[]): Uint8Array {
  return chunked({ type: 20, streamId, timestampMs: 0, parts: [command(name, transaction, ...values)] }, 128)
}

function summary(message: RtmpMessage): string {
  if (message.type !== 20) return `${message.type} ${Buffer.from(message.payload).toString('hex')}`
  const { name, transaction, values } = parseCommand(message)
  const [properties, information] = values as { [key: string]: Amf0Value }[]
  const said = information?.code ?? information ?? properties?.code ?? ''
  return `${name} ${transaction} ${String(said)}`
}

function connected() {
  const all = open()
  all.say(0, 'connect', 1, { app: 'live', tcUrl: 'rtmp://h/live' })
  all.hear(all.say(0, 'createStream', 4, null))
  return all
}

test('connect: window, bandwidth, chunk size, begin, success', () => {
  const { say, hear } = open()
  expect(hear(say(0, 'connect', 1, { app: 'live', tcUrl: 'rtmp://h/live' }))).toEqual([
    '5 002625a0',
    '6 002625a002',
    '4 000000000000',
    '_result 1 NetConnection.Connect.Success',
  ])
})

test.each([
  ['those who ask', { fourCcList: ['hvc1'] }, /capsEx[\s\S]*hvc1[\s\S]*videoFourCcInfoMap/],
  ['nobody else', {}, /^(?![\s\S]*hvc1)/],
])('Enhanced RTMP is told to %s', (_name, options, wanted) => {
  const { say } = open()
  const sent = say(0, 'connect', 1, { app: 'live', ...options }).flatMap((event) =>
    event.kind === 'send' ? [event.bytes] : [],
  )
  expect(Buffer.concat(sent).toString('latin1')).toMatch(wanted)
})

describe('publish and play', () => {
  test('publish, media, unpublish, publish again', () => {
    const { session, say, hear } = connected()
    expect(hear(say(0, 'FCPublish', 3, null, 'cam'))).toContain('_result 3 ')
    const [event] = say(1, 'publish', 5, null, 'cam?token=t', 'live')
    expect(event).toMatchObject({ kind: 'begin', role: 'publisher', target: { app: 'live', name: 'cam' } })
    expect(session.state).toBe('publishing')
    expect(hear([{ kind: 'send', bytes: session.accept() }])).toEqual(['onStatus 0 NetStream.Publish.Start'])
    const sound = chunked({ type: 8, streamId: 1, timestampMs: 7, parts: [hex('af00')] })
    expect(session.push(sound)).toEqual([
      { kind: 'media', tag: { kind: 'audio', timestampMs: 7, body: expect.anything() } },
    ])
    const gone = say(0, 'FCUnpublish', 6, null, 'cam')
    expect(gone[0]).toEqual({ kind: 'stop' })
    expect(hear(gone)).toEqual(['onStatus 0 NetStream.Unpublish.Success'])
    expect(session.push(sound)).toEqual([])
    expect(say(0, 'deleteStream', 7, null, 1)).toEqual([])
    expect(hear(say(0, 'createStream', 8, null))).toEqual(['_result 8 1'])
    expect(say(1, 'publish', 9, null, 'cam')[0]).toMatchObject({ kind: 'begin' })
  })

  test('play, and its end', () => {
    const { session, say, hear } = connected()
    expect(say(1, 'play', 5, null, 'cam', -1000)[0]).toMatchObject({ kind: 'begin', role: 'viewer' })
    expect(hear([{ kind: 'send', bytes: session.accept() }])).toEqual([
      '4 000000000001',
      'onStatus 0 NetStream.Play.Reset',
      'onStatus 0 NetStream.Play.Start',
    ])
    expect(say(1, 'pause', 0, null, true, 0)).toEqual([{ kind: 'pause', paused: true }])
    expect(hear([{ kind: 'send', bytes: session.playEnded() }])).toEqual([
      'onStatus 0 NetStream.Play.UnpublishNotify',
      'onStatus 0 NetStream.Play.Stop',
      '4 000100000001',
    ])
  })

  test.each([
    ['publish', 'Unauthenticated', 'NetStream.Publish.Denied'],
    ['publish', 'AlreadyExists', 'NetStream.Publish.BadName'],
    ['play', 'NotFound', 'NetStream.Play.StreamNotFound'],
    ['play', 'PermissionDenied', 'NetStream.Play.Failed'],
  ] as const)('%s refused as %s', (name, kind, code) => {
    const { session, say, hear } = connected()
    say(1, name, 5, null, 'cam')
    expect(hear([{ kind: 'send', bytes: session.refuse(new AppError(kind, 'no')) }])).toEqual([
      `onStatus 0 ${code}`,
    ])
    expect(session.state).toBe('connected')
  })
})

describe('out of place (RELIABILITY.md C2): _error, and the session goes on', () => {
  test.each([
    ['publish before connect', [[1, 'publish', 2, null, 'cam']]],
    ['createStream before connect', [[0, 'createStream', 2, null]]],
    [
      'connect twice',
      [
        [0, 'connect', 1, { app: 'live' }],
        [0, 'connect', 2, { app: 'live' }],
      ],
    ],
    [
      'publish before createStream',
      [
        [0, 'connect', 1, { app: 'live' }],
        [1, 'publish', 2, null, 'cam'],
      ],
    ],
    [
      'publish without a name',
      [
        [0, 'connect', 1, { app: 'live' }],
        [0, 'createStream', 3, null],
        [1, 'publish', 2, null],
      ],
    ],
    [
      'play with a number for a name',
      [
        [0, 'connect', 1, { app: 'live' }],
        [0, 'createStream', 3, null],
        [1, 'play', 2, null, 7],
      ],
    ],
    [
      'publish on another stream',
      [
        [0, 'connect', 1, { app: 'live' }],
        [0, 'createStream', 3, null],
        [9, 'publish', 2, null, 'cam'],
      ],
    ],
    [
      'publish twice',
      [
        [0, 'connect', 1, { app: 'live' }],
        [0, 'createStream', 3, null],
        [1, 'publish', 4, null, 'cam'],
        [1, 'publish', 2, null, 'b'],
      ],
    ],
    [
      'a second stream',
      [
        [0, 'connect', 1, { app: 'live' }],
        [0, 'createStream', 3, null],
        [0, 'createStream', 2, null],
      ],
    ],
    [
      'an unknown command',
      [
        [0, 'connect', 1, { app: 'live' }],
        [0, 'makeCoffee', 2, null],
      ],
    ],
  ] as [string, [number, string, number, ...Amf0Value[]][]][])('%s', (_name, calls) => {
    const { session, say, hear } = open()
    const answers = calls.flatMap((each) => hear(say(...each)))
    expect(answers.at(-1)).toBe('_error 2 NetConnection.Call.Failed')
    expect(session.state).not.toBe('failed')
  })
})

describe('a connect that is none (RELIABILITY.md C1) ends the session', () => {
  const nested = (depth: number) => '03 0001 61 '.repeat(depth)
  test.each([
    ['no object', call(0, 'connect', 1)],
    ['no app', call(0, 'connect', 1, { tcUrl: 'rtmp://h/live' })],
    ['an app that is a number', call(0, 'connect', 1, { app: 7 })],
    ['an app that climbs', call(0, 'connect', 1, { app: '../..' })],
    ['10,000 keys', manyKeys()],
    ['objects nested 1000 deep', raw(`02 0007 636f6e6e656374 00 3ff0000000000000 ${nested(1000)}`)],
    ['a cyclic reference', raw('02 0007 636f6e6e656374 00 3ff0000000000000 03 0001 61 07 0000 000009')],
    ['a string that goes past the end', raw('02 ffff 63')],
    ['no name', raw('05')],
    ['no bytes', raw('')],
  ])('%s', (_name, bytes) => {
    const { session } = open()
    const events = session.push(bytes)
    expect(events.at(-1)).toMatchObject({ kind: 'failed', error: { kind: 'InvalidArgument' } })
    expect(session.push(bytes)).toEqual([])
  })

  function raw(payload: string): Uint8Array {
    return chunked({ type: 20, streamId: 0, timestampMs: 0, parts: [hex(payload)] }, 128)
  }
  function manyKeys(): Uint8Array {
    const keys = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, 0]))
    return chunked(
      {
        type: 20,
        streamId: 0,
        timestampMs: 0,
        parts: [command('connect', 1, { app: 'live', ...keys } as never)],
      },
      128,
    )
  }
})

test('an AMF3 command is AMF0 behind one byte', () => {
  const { session, hear } = open()
  const payload = Buffer.concat([Buffer.of(0), command('connect', 1, { app: 'live' })])
  const events = session.push(chunked({ type: 17, streamId: 0, timestampMs: 0, parts: [payload] }, 128))
  expect(hear(events)).toContain('_result 1 NetConnection.Connect.Success')
})

test('pings are answered, bytes acknowledged by the window that was asked for, at most once for each read', () => {
  const { session, hear } = connected()
  expect(hear(session.push(userControlEvent(6, 0xdeadbeef)))).toEqual(['4 0007deadbeef'])
  expect(hear(session.push(windowSize(1)))).toEqual([expect.stringMatching(/^3 /)])
  expect(hear(session.push(Buffer.concat([acknowledge(5), acknowledge(6)])))).toHaveLength(1)
})

test('an aggregate is its parts, by the message’s own time', () => {
  const { session, say } = connected()
  say(1, 'publish', 5, null, 'cam')
  const payload = hex('08 000001 0003e8 00 000000 aa 0000000c 09 000002 000410 00 000000 bbcc 0000000d')
  const events = session.push(chunked({ type: 22, streamId: 1, timestampMs: 50, parts: [payload] }))
  expect(events.map((event) => (event.kind === 'media' ? event.tag : undefined))).toEqual([
    { kind: 'audio', timestampMs: 50, body: expect.objectContaining({ length: 1 }) },
    { kind: 'video', timestampMs: 90, body: expect.objectContaining({ length: 2 }) },
  ])
})

describe.skipIf(!sharedPath('data/rtmp'))('captures of ../shared/data/rtmp', () => {
  test.each([
    ['ffmpeg51_avc_aac', 'live'],
    ['gst122_rtmp2sink', 'live'],
  ])('%s: the same in pieces of 1, 7, 1000 bytes and whole', (name, app) => {
    const bytes = readFileSync(sharedPath('data/rtmp', `${name}.conn0.client.bin`) ?? '')
    const whole = replay(bytes, bytes.length)
    expect(whole.filter((line) => line.startsWith('begin'))).toEqual([
      expect.stringContaining(`begin ${app}`),
    ])
    expect(whole.filter((line) => line.startsWith('failed'))).toEqual([])
    expect(whole.filter((line) => line.startsWith('video')).length).toBeGreaterThan(90)
    for (const size of [1, 7, 1000]) expect(replay(bytes, size)).toEqual(whole)
  })
})

function replay(bytes: Uint8Array, size: number): string[] {
  const session = new ServerSession()
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += size) {
    for (const event of session.push(bytes.subarray(at, at + size))) {
      if (event.kind === 'begin') lines.push(`begin ${event.target.app} ${event.target.name}`)
      else if (event.kind === 'media') {
        const { kind, timestampMs, body } = event.tag
        lines.push(
          `${kind} ${timestampMs} ${body.length} ${body.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 0)}`,
        )
      } else if (event.kind !== 'send') lines.push(event.kind)
    }
  }
  return lines
}
