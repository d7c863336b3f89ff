import { expect, test } from 'vitest'
import { createHub } from '../../../../agent/hub/hub.ts'
import { createSrsPushes } from '../../../../agent/play/vehicle-forward-srs.ts'
import { systemClock } from '../../../../shared/node/clock.ts'
import { clipUnits } from '../../../support/live-units.ts'
import { openRtmpRig } from '../../../support/rtmp-rig.ts'

const device = '06495940943803'

/** Our RTMP door stands for SRS: it takes publishers as SRS does, one of a name. */
async function rig() {
  const stack = new AsyncDisposableStack()
  const srs = stack.use(
    await openRtmpRig({ graceMs: 50, admit: () => ({ role: 'admin', subject: 'srs', via: 'none' }) }),
  )
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const events: string[] = []
  const hub = stack.use(
    createHub({
      ...{ openSink: () => sink, clock: systemClock, graceMs: 100 },
      onEvent: ({ type, stream }) => {
        const published = type === 'published' ? hub.stream(stream) : undefined
        if (published) pushes.published(published)
      },
    }),
  )
  const pushes = stack.use(
    createSrsPushes({
      targetOf: (channel) => ({
        url: `rtmp://127.0.0.1:${srs.door.port}/${channel.startsWith('replay-') ? 'replay' : 'live/'}`,
        name: channel.replace('replay-', ''),
      }),
      channelOf: (stream) => /^(?:replay-)?[0-9a-f]{14}/.exec(stream)?.[0],
      streamOf: (channel) =>
        hub.streams().find(({ name, state }) => name.startsWith(channel) && state === 'live'),
      clock: systemClock,
      random: () => 0.01,
      onEvent: ({ type }) => events.push(type),
    }),
  )
  const publish = (name: string) =>
    hub.publish({ name, kind: 'vehicle', identity: name, onDisplaced: () => undefined })
  return { srs, hub, pushes, events, publish, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const atSrs = (it: Awaited<ReturnType<typeof rig>>, name = device) => it.srs.hub.stream(name)?.state

test('pushed while it is wanted and there, once whoever wants it', async () => {
  await using it = await rig()
  const first = it.pushes.want(device)
  const second = it.pushes.want(device)
  expect(it.pushes.status()).toEqual([])
  const publisher = it.publish(device)
  for (const unit of clipUnits().slice(0, 30)) publisher.push(unit)
  await expect.poll(() => it.srs.units.length).toBeGreaterThan(3)
  expect(it.pushes.status()).toHaveLength(1)
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  await systemClock.sleep(50)
  expect(atSrs(it)).toBe('live')
  second[Symbol.dispose]()
  await expect.poll(() => atSrs(it)).toBe('waiting')
  expect(it.pushes.status()).toEqual([])
})

test('who wants it after it began gets it; one who comes back at once too', async () => {
  await using it = await rig()
  const publisher = it.publish(device)
  const units = clipUnits()
  for (const unit of units.slice(0, 10)) publisher.push(unit)
  for (let i = 0; i < 5; i += 1) it.pushes.want(device)[Symbol.dispose]()
  it.pushes.want(device)
  for (const unit of units.slice(10, 60)) publisher.push(unit)
  await expect.poll(() => atSrs(it)).toBe('live')
  await expect.poll(() => it.srs.units.length).toBeGreaterThan(3)
})

test('a vehicle that went for good and comes again is pushed again; a history shows under its device', async () => {
  await using it = await rig()
  it.pushes.want(`replay-${device}`)
  for (const session of ['a', 'b']) {
    const publisher = it.publish(`replay-${device}-${session}`)
    for (const unit of clipUnits().slice(0, 10)) publisher.push(unit)
    await expect.poll(() => atSrs(it)).toBe('live')
    publisher.end('done')
    await expect.poll(() => atSrs(it), { timeout: 5000 }).toBe('waiting')
  }
  expect(it.events.filter((type) => type === 'live').length).toBeGreaterThanOrEqual(2)
})
