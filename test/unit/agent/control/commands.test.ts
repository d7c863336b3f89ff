import { beforeEach, describe, expect, test } from 'vitest'
import type { AgentFile, AgentRecord } from '../../../../agent/control/agent-file.ts'
import { type CommandParts, createCommands } from '../../../../agent/control/commands.ts'
import type { Commands } from '../../../../agent/control/commands-port.ts'
import { createHub, type Hub } from '../../../../agent/hub/hub.ts'
import { sourceOpener } from '../../../../agent/ingest/open-source.ts'
import { PhoneBroadcast } from '../../../../agent/ingest/phone-broadcast.ts'
import { Phones } from '../../../../agent/ingest/phones.ts'
import { Sources } from '../../../../agent/ingest/sources.ts'
import { Recordings } from '../../../../agent/record/recordings.ts'
import { stats as statsSchema, streamInfo } from '../../../../shared/contract/agent-api.ts'
import type { Recording } from '../../../../shared/contract/recording.ts'
import { FakePhone, picture } from '../../../support/fake-phone.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

let clock: ManualClock
let commands: Commands
let hub: Hub
let phones: Phones
let log: string[]
let file: AgentFile

function makeFile(): AgentFile {
  const sessionKey = '0'.repeat(64)
  let record: AgentRecord = {
    version: 1,
    uuid: crypto.randomUUID(),
    name: 'lab',
    sessionKey,
    linkKey: sessionKey,
    tokens: [],
    phones: [],
  }
  return {
    get record() {
      return record
    },
    update: async (change) => {
      record = change(record)
    },
  }
}

/** No camera is reached. */
const nowhere = {
  resolve: (_host: string, _port: number, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
}

function make(config: CommandParts['config'] = { streams: {} }, wants?: CommandParts['wants']): Commands {
  const files = new Map<string, Recording>()
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  hub = createHub({ clock, onEvent: () => undefined, openSink: () => sink })
  const recordings = new Recordings({
    agent: 'lab',
    clock,
    onFault: (message) => log.push(message),
    recorder: {
      flush: async () => undefined,
      openSince: () => undefined,
      newest: () => undefined,
      setClaimed: () => undefined,
    },
    ring: {
      saveRecording: async (recording) => void files.set(recording.id, recording),
      recordings: async () => [...files.values()],
      recording: async (id) => files.get(id),
      segments: async () => [],
      gaps: async () => [],
    },
  })
  phones = new Phones({
    ...{ clock, hub, recordings, allowWithoutToken: true },
    allowed: { has: () => false, remember: async () => undefined },
    onRoundTrip: () => undefined,
    onEvent: () => undefined,
  })
  const ring = { usedBytes: 1, quotaBytes: 2, freeBytes: 3, segments: 4, queueBytes: 5 }
  return createCommands({
    ...{ name: 'lab', version: '0.0.0', clock, config, file, hub, phones, recordings },
    ...(wants && { wants }),
    report: async ({ id, state, from, to }) => ({ id, state, from, to, streams: [] }),
    broadcast: new PhoneBroadcast({ clock, phones: () => phones.connected() }),
    sources: new Sources({ hub, clock, open: sourceOpener({ guard: nowhere, clock }) }),
    recorders: { setPolicy: (stream, policy) => log.push(`recorder ${stream} ${policy}`) },
    ring: {
      stats: () => ring,
      setStreamPolicy: (stream, { upload }) => log.push(`ring ${stream} ${upload}`),
    },
    uploader: {
      status: () => ({
        state: 'offline',
        pending: 7,
        pendingBytes: 8,
        lastSuccessMs: undefined,
        skewMs: 0,
        setAside: 0,
      }),
    },
    loop: { p99Ms: () => 1, maxMs: () => 2, [Symbol.dispose]: () => undefined },
    door: { lan: false, tls: false, addresses: ['127.0.0.1:50001'], allowWithoutToken: true },
  })
}

function connect(name: string): FakePhone {
  const phone = new FakePhone()
  phones.connect(phone.socket, {
    principal: { role: 'publisher', subject: name, stream: name },
    address: '10.0.0.7',
  })
  return phone
}

beforeEach(() => {
  clock = new ManualClock()
  log = []
  file = makeFile()
  commands = make()
})

describe('streams', () => {
  test('are those that live and those that the configuration names, with what is kept of them', async () => {
    commands = make({ streams: { door: { ring: 'always', upload: 'never' } } })
    expect(log).toEqual(['recorder door always', 'ring door never'])
    const phone = connect('left')
    phone.say({ status: 'capture_started', rotation: 90 })
    phone.film(5000, picture(0))
    const list = await commands.streams.list()
    for (const info of list) streamInfo.parse(info)
    expect(list).toMatchObject([
      { name: 'door', state: 'waiting', ring: 'always', upload: 'never', units: 0, recordings: [] },
      {
        ...{ name: 'left', state: 'live', kind: 'phone', ring: 'on-demand', upload: 'recordings', units: 1 },
        video: { codec: 'h264', width: 640, height: 480, rotation: 90 },
        recordings: [expect.stringMatching(/^20261120T/)],
      },
    ])
    expect(await commands.streams.get('LEFT')).toMatchObject({ name: 'left' })
  })

  test('do not show where they are pushed on to: the address is a secret', async () => {
    const door = { ring: 'always', upload: 'never', forward: ['rtmp://live.test/app/s3cret-key'] } as const
    commands = make({ streams: { door } })
    await commands.streams.put('door', { ring: 'off' })
    const shown = [await commands.streams.list(), await commands.stats(), file.record]
    expect(JSON.stringify(shown)).not.toContain('s3cret')
  })

  test('keep what somebody set over a restart, until it is removed', async () => {
    expect(await commands.streams.put('door', { ring: 'always' })).toMatchObject({
      ring: 'always',
      upload: 'recordings',
    })
    log = []
    commands = make()
    expect(log).toEqual(['recorder door always', 'ring door recordings'])
    await commands.streams.remove('door')
    await expect(commands.streams.get('door')).rejects.toMatchObject({ kind: 'NotFound' })
    expect(file.record.streams).toEqual({})
  })

  test('that live are not removed, those that are unknown not found', async () => {
    connect('left').film(5000, picture(0))
    await clock.advance(600)
    await expect(commands.streams.remove('left')).rejects.toMatchObject({ kind: 'FailedPrecondition' })
    await expect(commands.streams.get('right')).rejects.toThrow('There is no stream right. There are: left.')
  })

  test('take the address of a camera, and never show its secrets', async () => {
    const info = await commands.streams.put('cam', { source: 'rtsp://me:s3cret@10.0.0.9/x' })
    expect(streamInfo.parse(info)).toMatchObject({
      ...{ name: 'cam', state: 'waiting', source: 'rtsp://***@10.0.0.9/x', camera: { state: 'idle' } },
    })
    expect(JSON.stringify([await commands.streams.list(), await commands.stats()])).not.toContain('s3cret')
    commands = make() // After a restart it is known again.
    expect(await commands.streams.get('cam')).toMatchObject({ source: 'rtsp://***@10.0.0.9/x' })
    await commands.streams.remove('cam')
    await expect(commands.streams.get('cam')).rejects.toMatchObject({ kind: 'NotFound' })
  })

  test('refuse what is no address, without repeating it', async () => {
    const refused = commands.streams.put('cam', { source: 'ftp://me:s3cret@10.0.0.9' })
    await expect(refused).rejects.toMatchObject({ kind: 'InvalidArgument' })
    await expect(refused).rejects.not.toThrow('s3cret')
    expect(await commands.streams.list()).toEqual([])
  })

  test('of a camera in the configuration are fetched from while its ring is always kept', async () => {
    const door = { ring: 'on-demand', upload: 'never', source: 'rtsp://me:s3cret@10.0.0.9/x' } as const
    commands = make({ streams: { door } })
    expect(await commands.streams.get('door')).toMatchObject({ camera: { state: 'idle' } })
    await commands.streams.put('door', { ring: 'always' })
    expect(await commands.streams.get('door')).toMatchObject({ camera: { state: 'connecting' } })
    expect(JSON.stringify(file.record)).not.toContain('s3cret')
    await commands.streams.remove('door')
    expect(await commands.streams.get('door')).toMatchObject({ ring: 'on-demand', camera: { state: 'idle' } })
  })

  test('start on streams that are there, by whatever case, and say what is to come', async () => {
    connect('left').film(5000, picture(0))
    connect('right')
    await clock.advance(600)
    const now = clock.nowMs()
    expect(await commands.recordings.start({ streams: ['LEFT', 'right'], labels: [] })).toMatchObject({
      streams: [
        { name: 'left', state: 'recording', startsAt: now },
        { name: 'right', state: 'waiting', startsAt: now },
      ],
    })
    const later = await commands.recordings.start({ streams: ['left'], from: now + 1000, labels: [] })
    expect(later.streams).toEqual([{ name: 'left', state: 'armed', startsAt: now + 1000 }])
    expect(await commands.recordings.stop(later.id)).toMatchObject({ state: 'closed' })
    expect((await commands.recordings.list({ limit: 10 })).recordings).toHaveLength(3)
    await expect(commands.recordings.start({ streams: ['nobody'], labels: [] })).rejects.toMatchObject({
      kind: 'NotFound',
    })
  })
})

test('phones are started with the defaults of the seed, and wrong wishes are refused', async () => {
  const phone = connect('left')
  const answer = commands.phones.start({ fps: -4 })
  await clock.advance(100)
  expect(JSON.parse(phone.heard[0] ?? '').payload).toEqual({ format: 'h264', bitrate: 4, fps: 10 })
  phone.say({ status: 'capture_started' })
  expect(await answer).toMatchObject({ sent: ['left'], started: ['left'], failed: [] })
  await expect(commands.phones.start({ bitrateMb: 2.5 })).rejects.toMatchObject({ kind: 'InvalidArgument' })
  await expect(commands.phones.start({ width: 4 })).rejects.toMatchObject({ kind: 'InvalidArgument' })
})

test('figures have the shape of the contract', async () => {
  connect('left').film(5000, picture(0))
  await clock.advance(5000)
  const stats = await commands.stats()
  expect(statsSchema.parse(stats)).toMatchObject({
    agent: 'lab',
    uptimeMs: 5000,
    streams: { live: 1, waiting: 0 },
    phones: { connected: 1, waiting: 0 },
    upload: {
      ...{ state: 'waiting', pendingSegments: 7 },
      ...{ message: 'the cloud cannot be reached', messageZh: '无法连接云端' },
    },
  })
})

test('a history that goes into the archive takes no recording of now beside it, unless it is the same one again', async () => {
  const commands = make(undefined, {
    nameOf: () => undefined,
    always: () => undefined,
    recordingOf: (stream) => (stream === 'replay-x' ? 'take-1' : undefined),
  })
  hub.publish({ name: 'replay-x', kind: 'vehicle', identity: 'v', onDisplaced: () => undefined })
  connect('left')
  await expect(
    commands.recordings.start({ streams: ['left', 'replay-x'], labels: [] }),
  ).rejects.toMatchObject({ kind: 'AlreadyExists', message: expect.stringContaining('take-1') })
  expect((await commands.recordings.list({ limit: 10 })).recordings).toEqual([])
  expect(await commands.recordings.start({ streams: ['left'], labels: [] })).toMatchObject({
    streams: [{ name: 'left' }],
  })
})
