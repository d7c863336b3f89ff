import { stat } from 'node:fs/promises'
import { constants } from 'node:http2'
import { connect } from 'node:net'
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import type { StartRecordingRequest } from '../../../../../agent/control/commands-port.ts'
import { messageZhKey } from '../../../../../agent/control/grpc/status.ts'
import type { Recording } from '../../../../../shared/contract/recording.ts'
import { AppError } from '../../../../../shared/error.ts'
import { splitAnnexB } from '../../../../../shared/media/nal.ts'
import { ended, type ReceivedUnit } from '../../../../support/grpc-client.ts'
import { RawClient, readUnits, statusOfRaw } from '../../../../support/grpc-raw.ts'
import { openGrpcRig } from '../../../../support/grpc-rig.ts'
import { fakeAudio, fakeUnit } from '../../../../support/live-units.ts'
import { syntheticPicture, syntheticSound, syntheticVideo } from '../../../../support/synthetic.ts'

const until = (condition: () => boolean) =>
  expect.poll(condition, { timeout: 10_000, interval: 5 }).toBe(true)
const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error) => error.code,
  )

test('a client gets the newest GOP, then live, over TCP and over the socket', async () => {
  await using rig = await openGrpcRig()
  const publisher = rig.publish('cam')
  for (let n = 0; n < 15; n += 1) publisher.push(syntheticPicture(n))
  const clients = [await rig.client('viewer'), await rig.client()]
  const got = clients.map((client) => {
    const units: ReceivedUnit[] = []
    client.open({ name: 'CAM' }).on('data', (unit) => units.push(unit))
    return units
  })
  await until(() => got.every(({ length }) => length === 5))
  publisher.push(syntheticPicture(15))
  await until(() => got.every(({ length }) => length === 6))
  for (const units of got) {
    const tenth = syntheticPicture(10)
    expect(units[0]).toMatchObject({
      codec: 'h264',
      dts: tenth.dtsMs,
      pts: tenth.ptsMs,
      key: true,
      track: 'video',
      config: { codecString: syntheticVideo.codecString, width: 640 },
      dropped: null,
    })
    expect(splitAnnexB(units[0]?.payload ?? Buffer.of()).map((nal) => Buffer.from(nal))).toEqual(
      [...syntheticVideo.parameterSets, ...tenth.nalUnits].map((nal) => Buffer.from(nal)),
    )
    expect(units.map(({ key }) => key)).toEqual([true, false, false, false, false, false])
    expect(units.slice(1).every(({ config }) => config === null)).toBe(true)
  }
})

test('sound and picture, or only one of them; a changed configuration comes with its first unit', async () => {
  await using rig = await openGrpcRig()
  const publisher = rig.publish('cam')
  publisher.push(syntheticPicture(0))
  const client = await rig.client('viewer')
  const both: ReceivedUnit[] = []
  const sound: ReceivedUnit[] = []
  client.open({ name: 'cam' }).on('data', (unit) => both.push(unit))
  client.open({ name: 'cam', track: 'audio' }).on('data', (unit) => sound.push(unit))
  await until(() => both.length === 1 && rig.grpc.figures.streams === 2)
  publisher.push(syntheticSound(0))
  publisher.push(syntheticSound(1))
  const changed = { ...syntheticVideo, codecString: 'avc1.640028' }
  publisher.push(syntheticPicture(10, { config: changed }))
  await until(() => both.length === 4 && sound.length === 2)
  expect(both.map(({ track, config }) => [track, config?.codecString])).toEqual([
    ['video', syntheticVideo.codecString],
    ['audio', fakeAudio.codecString],
    ['audio', undefined],
    ['video', 'avc1.640028'],
  ])
  expect(sound[0]?.config?.sampleRate).toBe(44_100)
  expect(sound[0]?.payload).toEqual(Buffer.from(syntheticSound(0).nalUnits[0] ?? []))
})

test('cancelled, past its deadline or cut off: nothing of a call stays', async () => {
  await using rig = await openGrpcRig()
  const publisher = rig.publish('cam')
  publisher.push(syntheticPicture(0))
  const stream = rig.hub.stream('cam')
  const client = await rig.client('viewer')
  const first = client.open({ name: 'cam' })
  const second = client.open({ name: 'cam' }, { deadline: Date.now() + 400 })
  first.resume()
  second.resume()
  await until(() => stream?.viewers === 2)
  first.cancel()
  expect((await ended(second)).code).toBe(status.DEADLINE_EXCEEDED)
  await until(() => stream?.viewers === 0)
  const other = new RawClient(rig.port, await rig.token('viewer'))
  other.open('cam').resume()
  await until(() => stream?.viewers === 1)
  other.session.destroy()
  await until(() => stream?.viewers === 0)
  publisher.push(syntheticPicture(10))
  expect(rig.grpc.figures).toMatchObject({ streams: 0, ended: { cancelled: 3 } })
  expect(rig.faults).toEqual([])
})

test('a stream that is over ends its calls well, with the reason', async () => {
  await using rig = await openGrpcRig()
  const publisher = rig.publish('cam')
  publisher.push(syntheticPicture(0))
  const client = await rig.client('viewer')
  const call = client.open({ name: 'cam' })
  call.resume()
  await until(() => rig.grpc.figures.streams === 1)
  publisher.end('gone')
  const { code, metadata } = await ended(call)
  expect([code, metadata.get('edgereel-end')]).toEqual([status.OK, ['source gone']])
})

test('a slow client loses whole GOPs, is told how many units, and others lose nothing', async () => {
  await using rig = await openGrpcRig()
  const publisher = rig.publish('cam')
  const bytes = 100_000
  publisher.push(syntheticPicture(0, { bytes }))
  using raw = new RawClient(rig.port, await rig.token('viewer'))
  const slow = raw.open('cam')
  const quick: ReceivedUnit[] = []
  ;(await rig.client('viewer')).open({ name: 'cam' }).on('data', (unit) => quick.push(unit))
  await until(() => rig.grpc.figures.streams === 2)
  for (let n = 1; n < 100; n += 1) {
    publisher.push(syntheticPicture(n, { bytes }))
    await until(() => quick.length > n)
  }
  expect(rig.grpc.figures.bytes).toBeLessThan(quick.length * 100_500 + 800_000) // One write of 512 KiB was its share.
  const late: ReceivedUnit[] = []
  await readUnits(slow, late)
  await until(() => late.at(-1)?.dts === quick.at(-1)?.dts)
  const resumed = late.findIndex(({ dropped }) => dropped !== null)
  const missed = ((late[resumed]?.dts ?? 0) - (late[resumed - 1]?.dts ?? 0)) / 100 - 1
  expect(missed).toBeGreaterThan(50)
  expect(late[resumed]).toMatchObject({ key: true, dropped: { units: missed, totalUnits: missed } })
  expect(late).toHaveLength(100 - missed)
  expect(quick.every(({ dropped }) => dropped === null)).toBe(true)
})

test('a client that takes nothing for ten seconds is reset, and the other calls of its connection go on', async () => {
  let aheadMs = 0
  await using rig = await openGrpcRig({ aheadMs: () => aheadMs })
  const publisher = rig.publish('cam')
  publisher.push(syntheticPicture(0, { bytes: 30_000 }))
  using raw = new RawClient(rig.port, await rig.token('viewer'))
  const stalled = raw.open('cam')
  const units: ReceivedUnit[] = []
  await readUnits(raw.open('cam'), units)
  await until(() => units.length === 1)
  publisher.push(syntheticPicture(1, { bytes: 90_000 }))
  await until(() => units.length === 2)
  aheadMs = 11_000
  publisher.push(syntheticPicture(10))
  await statusOfRaw(stalled)
  expect(stalled.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  await until(() => units.length === 3)
  expect(rig.grpc.figures).toMatchObject({ streams: 1, ended: { stalled: 1 } })
})

test('a stream without a key frame is given up in words', async () => {
  await using rig = await openGrpcRig({ keyFrameWaitMs: 50 })
  rig.publish('cam')
  const call = (await rig.client('viewer')).open({ name: 'cam' })
  const { code, details, metadata } = await ended(call)
  expect([code, details]).toEqual([status.UNAVAILABLE, 'stream cam has given no key frame for 0.05 s'])
  expect(String(metadata.get(messageZhKey)[0])).toContain('关键帧')
})

test.each([
  ['a stream that is not there', { name: 'nowhere' }, status.NOT_FOUND],
  ['no name', {}, status.INVALID_ARGUMENT],
  ['a name that is none', { name: '../etc' }, status.INVALID_ARGUMENT],
  ['a track that is none', { name: 'cam', track: 'smell' }, status.INVALID_ARGUMENT],
  ['a camera’s track of a stream', { name: 'cam', track: 'sub' }, status.INVALID_ARGUMENT],
  ['an address, where none can be opened', { uri: 'rtsp://10.0.0.1/' }, status.UNIMPLEMENTED],
])('%s is refused', async (_what, request, code) => {
  await using rig = await openGrpcRig()
  rig.publish('cam').push(syntheticPicture(0))
  const { code: got, details } = await ended((await rig.client('operator')).open(request))
  expect(got).toBe(code)
  expect(details.length).toBeGreaterThan(10)
})

test('who may: the rules of every transport', async () => {
  await using rig = await openGrpcRig()
  rig.publish('cam').push(syntheticPicture(0))
  const open = async (role: 'viewer' | 'publisher' | 'operator' | 'admin' | 'device', stream?: string) => {
    const call = (await rig.client(role, stream)).open({ name: 'cam' })
    call.once('data', () => call.cancel())
    return (await ended(call)).code
  }
  expect(await open('viewer')).toBe(status.CANCELLED) // By us, once it came.
  expect(await open('viewer', 'cam')).toBe(status.CANCELLED)
  expect(await open('operator')).toBe(status.CANCELLED)
  expect(await open('admin')).toBe(status.CANCELLED)
  expect(await open('viewer', 'other')).toBe(status.PERMISSION_DENIED)
  expect(await open('publisher')).toBe(status.PERMISSION_DENIED)
  expect(await open('device')).toBe(status.PERMISSION_DENIED)

  const viewer = await rig.client('viewer')
  const start = { streams: ['cam'] }
  expect(await failure(viewer.call('ListStreams'))).toBeUndefined()
  expect(await failure(viewer.call('StartRecording', start))).toBe(status.PERMISSION_DENIED)
  expect(await failure(viewer.call('StopRecording', { recordingId: 'x' }))).toBe(status.PERMISSION_DENIED)
  expect(await failure(viewer.call('CaptureSnapshot', { name: 'cam' }))).toBe(status.PERMISSION_DENIED)
  expect((await ended(viewer.open({ uri: 'rtsp://10.0.0.1/' }))).code).toBe(status.PERMISSION_DENIED)

  for (const token of [undefined, 'wrong']) {
    const stranger = await rig.stranger(token)
    expect(await failure(stranger.call('ListStreams'))).toBe(status.UNAUTHENTICATED)
    expect((await ended(stranger.open({ name: 'cam' }))).code).toBe(status.UNAUTHENTICATED)
    expect(await stranger.call('Check')).toEqual({ status: 'SERVING' })
  }
})

test('the socket lets in whom its file lets in, and a token that is given decides there too', async () => {
  await using rig = await openGrpcRig()
  expect((await stat(rig.socketPath)).mode & 0o777).toBe(0o600)
  const owner = await rig.client()
  expect(await failure(owner.call('StartRecording', { streams: ['cam'] }))).toBeUndefined()
  expect(await owner.call('Check', { service: 'edgereel.v1.MediaService' })).toEqual({ status: 'SERVING' })
  const stranger = await rig.stranger('wrong', `unix:${rig.socketPath}`)
  expect(await failure(stranger.call('ListStreams'))).toBe(status.UNAUTHENTICATED)
})

test('recordings: times, durations and ids go to the commands, and what they say comes back', async () => {
  const asked: StartRecordingRequest[] = []
  const closed: Recording = {
    ...{
      version: 1,
      id: 'take',
      agent: 'a',
      rev: 2,
      state: 'closed',
      labels: [],
      createdAt: 0,
      from: 1000,
      to: 2500,
    },
    streams: [{ name: 'cam', from: 1000, to: 2500, segments: [{ epoch: 0, seq: 1 }], gaps: [] }],
  }
  await using rig = await openGrpcRig({
    commands: {
      recordings: {
        start: async (request) => {
          asked.push(request)
          const { id = 'made', from = 7 } = request
          return { id, streams: [{ name: 'cam', state: 'recording', startsAt: from }] }
        },
        stop: async (id) => {
          if (id === 'take') return closed
          throw new AppError('NotFound', `There is no recording ${id}.`, { zh: '没有' })
        },
        report: async (id) => ({
          ...{ id, state: 'closed', from: 1000, to: 2500 },
          streams: [
            {
              ...{
                name: 'cam',
                pictures: 36,
                audioFrames: 0,
                segments: 1,
                gapMs: 40,
                first: 1001,
                last: 2470,
              },
              gaps: [{ from: 1500, to: 1540, cause: 'sequence', units: 1 }],
              clock: { boundMs: 1.5, source: 'device' },
            },
          ],
        }),
        list: async () => ({ recordings: [] }),
      },
    },
  })
  const client = await rig.client('operator')
  const request = {
    recordingId: 'take',
    streams: ['cam'],
    startTime: { seconds: 1_772_366_400, nanos: 250_000_000 },
    duration: { seconds: 2, nanos: 500_000_000 },
    title: 'a title',
    labels: ['one'],
  }
  expect(await client.call('StartRecording', request)).toEqual({
    recordingId: 'take',
    streams: [{ name: 'cam', state: 'recording', startsAt: { seconds: 1_772_366_400, nanos: 250_000_000 } }],
  })
  expect(await client.call('StartRecording', { streams: ['cam'] })).toMatchObject({ recordingId: 'made' })
  expect(asked).toEqual([
    {
      id: 'take',
      streams: ['cam'],
      from: 1_772_366_400_250,
      durationMs: 2500,
      title: 'a title',
      labels: ['one'],
    },
    { streams: ['cam'], labels: [] },
  ])
  expect(await failure(client.call('StartRecording', { recordingId: 'take', streams: ['other'] }))).toBe(
    status.ALREADY_EXISTS,
  )
  for (const wrong of [
    { streams: [] },
    { streams: ['cam'], recordingId: '../x' },
    { streams: ['cam'], duration: { seconds: -1, nanos: 0 } },
    { streams: ['cam'], startTime: { seconds: 1e13, nanos: 0 } },
    { streams: ['cam'], title: 'x'.repeat(300) },
    { streams: ['a name with spaces'] },
    { streams: ['cam'], require: ['other'] },
  ]) {
    expect(await failure(client.call('StartRecording', wrong))).toBe(status.INVALID_ARGUMENT)
  }
  expect(await client.call('StopRecording', { recordingId: 'take' })).toEqual({
    recordingId: 'take',
    state: 'closed',
    streams: [
      {
        name: 'cam',
        from: { seconds: 1, nanos: 0 },
        to: { seconds: 2, nanos: 500_000_000 },
        segments: 1,
        gaps: 0,
      },
    ],
  })
  expect(await failure(client.call('StopRecording', { recordingId: 'other' }))).toBe(status.NOT_FOUND)
  expect(await client.call('GetRecordingReport', { recordingId: 'take' })).toMatchObject({
    ...{ recordingId: 'take', state: 'closed', from: { seconds: 1 }, to: { seconds: 2, nanos: 500_000_000 } },
    streams: [
      {
        ...{ name: 'cam', pictures: 36, segments: 1, missing: { seconds: 0, nanos: 40_000_000 } },
        ...{ first: { seconds: 1, nanos: 1_000_000 }, last: { seconds: 2, nanos: 470_000_000 } },
        ...{ gaps: [{ cause: 'sequence', units: 1 }], clockBoundMs: 1.5, clockSource: 'device' },
      },
    ],
  })
  await client.call('StartRecording', { recordingId: 'take', streams: ['cam'], requireAll: true })
  await client.call('StartRecording', { recordingId: 'take', streams: ['cam'], require: ['cam'] })
  expect(asked.slice(-2)).toMatchObject([{ require: 'all' }, { require: ['cam'] }])
})

test('a snapshot, where there is one to be had; an address is opened for it and released', async () => {
  await using without = await openGrpcRig()
  const asking = (await without.client('operator')).call('CaptureSnapshot', { name: 'cam' })
  expect(await failure(asking)).toBe(status.UNIMPLEMENTED)

  const opened: string[] = []
  await using rig = await openGrpcRig({
    commands: { snapshot: async ({ at = 1 }) => ({ jpeg: Buffer.from('ffd8', 'hex'), takenAt: at }) },
    openSource: async (uri, track) => {
      opened.push(`open ${uri} ${track}`)
      return { name: 'cam', release: () => opened.push(`release ${uri}`) }
    },
  })
  const client = await rig.client('operator')
  const time = { seconds: 5, nanos: 1_000_000 }
  expect(await client.call('CaptureSnapshot', { name: 'cam', time })).toEqual({
    jpeg: Buffer.from('ffd8', 'hex'),
    takenAt: time,
  })
  await client.call('CaptureSnapshot', { uri: 'rtsp://a/' })
  rig.publish('cam').push(syntheticPicture(0))
  const call = client.open({ uri: 'rtsp://b/', track: 'sub' })
  call.once('data', () => call.cancel())
  await ended(call)
  await until(() => opened.length === 4)
  await client.call('StartRecording', { streams: ['rtsp://c/'] }).catch(() => undefined)
  expect(opened).toEqual([
    ...['open rtsp://a/ undefined', 'release rtsp://a/', 'open rtsp://b/ sub', 'release rtsp://b/'],
    ...['open rtsp://c/ undefined', 'release rtsp://c/'],
  ])
})

test('what nobody foresaw is told to the log, not to the client', async () => {
  const list = async () => {
    throw new Error('the secret path /x')
  }
  await using rig = await openGrpcRig({ list })
  const error = await (await rig.client('viewer')).call('ListStreams').catch((cause) => cause)
  expect([error.code, error.details]).toEqual([status.INTERNAL, 'this failed inside the agent'])
  expect(rig.faults).toHaveLength(1)
})

test('when the agent stops, calls end with words and connections close', async () => {
  const rig = await openGrpcRig()
  rig.publish('cam').push(syntheticPicture(0))
  const client = await rig.client('viewer')
  const call = client.open({ name: 'cam' })
  call.resume()
  await until(() => rig.grpc.figures.streams === 1)
  const over = ended(call)
  await rig[Symbol.asyncDispose]()
  expect(await over).toMatchObject({ code: status.UNAVAILABLE, details: 'the agent stops: try again' })
  const probe = connect(rig.port, '127.0.0.1')
  const refused = await new Promise((resolve) => {
    probe.on('error', () => resolve(true)).on('connect', () => resolve(false))
  })
  expect(refused).toBe(true)
})

test('a unit of nine megabytes passes', async () => {
  await using rig = await openGrpcRig()
  rig.publish('cam').push(fakeUnit({ key: true, bytes: 9_000_000 }))
  const call = (await rig.client('viewer')).open({ name: 'cam' })
  const unit = await new Promise<ReceivedUnit>((resolve) => call.once('data', resolve))
  expect(unit.payload.length).toBeGreaterThan(9_000_000)
  call.cancel()
})
