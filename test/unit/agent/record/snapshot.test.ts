import { describe, expect, test } from 'vitest'
import { Stream } from '../../../../agent/hub/stream.ts'
import { createToJpeg } from '../../../../agent/record/jpeg.ts'
import type { KeyFrame } from '../../../../agent/record/key-frame.ts'
import { type SnapshotOptions, Snapshots } from '../../../../agent/record/snapshot.ts'
import { AppError } from '../../../../shared/error.ts'
import { keyFrameWaitMs } from '../../../../shared/limits.ts'
import { clipUnits, fakeUnit } from '../../../support/live-units.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { hasProgram } from '../../../support/shared-data.ts'

const jpegBytes = Uint8Array.of(0xff, 0xd8, 1, 2)

function rig(more: Partial<SnapshotOptions> = {}) {
  const clock = new ManualClock()
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const stream = new Stream({ name: 'door', sink, clock, onFault: () => undefined })
  const made: KeyFrame[] = []
  const snapshots = new Snapshots({
    find: (name) => (name === 'door' ? stream : undefined),
    clock,
    ring: { segments: async () => [], read: async () => new Uint8Array(0) },
    recorder: { flush: async () => undefined, openSince: () => undefined },
    toJpeg: async (frame) => {
      made.push(frame)
      return jpegBytes
    },
    ...more,
  })
  const unit = (key: boolean) => fakeUnit({ key, ms: clock.nowMs(), arrivalMs: clock.monotonicMs() })
  const publish = () => {
    stream.begin('test')
    stream.write(unit(true))
    stream.write(unit(false))
  }
  return { clock, stream, snapshots, made, publish, unit }
}

describe('of now', () => {
  test('the key frame of the GOP that is under way, with its time', async () => {
    const { clock, publish, snapshots, made } = rig()
    publish()
    const takenAt = clock.nowMs()
    await clock.advance(700)
    expect(await snapshots.take({ stream: 'door' })).toEqual({ jpeg: jpegBytes, takenAt })
    expect(made.length).toBe(1)
  })

  test('one flight for each camera and second', async () => {
    const { clock, publish, snapshots, made } = rig()
    publish()
    const [a, b] = await Promise.all([snapshots.take({ stream: 'door' }), snapshots.take({ stream: 'Door' })])
    expect(a).toBe(b)
    await clock.advance(999)
    expect(await snapshots.take({ stream: 'door' })).toBe(a)
    expect(made.length).toBe(1)
    await clock.advance(1)
    expect(await snapshots.take({ stream: 'door' })).not.toBe(a)
    expect(made.length).toBe(2)
  })

  test('offline', async () => {
    const { snapshots, publish, stream } = rig()
    await expect(snapshots.take({ stream: 'door' })).rejects.toMatchObject({ kind: 'Unavailable' })
    publish()
    stream.pause('gone')
    await expect(rig().snapshots.take({ stream: 'other' })).rejects.toThrow(/offline/)
  })

  test('no key frame yet: waited for, then said', async () => {
    const { clock, snapshots, stream, unit } = rig()
    stream.begin('test')
    stream.write(unit(false))
    const still = snapshots.take({ stream: 'door' })
    still.catch(() => undefined)
    await clock.advance(400)
    stream.write(unit(true))
    await clock.advance(100)
    expect((await still).jpeg).toBe(jpegBytes)
    const other = rig()
    other.stream.begin('test')
    const late = other.snapshots.take({ stream: 'door' })
    late.catch(() => undefined)
    await other.clock.advance(keyFrameWaitMs + 100)
    await expect(late).rejects.toMatchObject({
      kind: 'DeadlineExceeded',
      message: expect.stringContaining('no key frame'),
    })
  })
})

describe('cameras that are fetched from', () => {
  test('are connected for it, and let go', async () => {
    let held = 0
    const { clock, publish, snapshots } = rig({
      hold: () => {
        held += 1
        return {
          [Symbol.dispose]: () => {
            held -= 1
          },
        }
      },
    })
    const still = snapshots.take({ stream: 'door' })
    await clock.advance(200)
    expect(held).toBe(1)
    publish()
    await clock.advance(100)
    expect((await still).jpeg).toBe(jpegBytes)
    expect(held).toBe(0)
  })

  test('one that cannot be reached says why, at once', async () => {
    const refused = new AppError('Unauthenticated', 'camera 10.0.0.5: it refuses the password')
    const { snapshots } = rig({ hold: () => ({ [Symbol.dispose]: () => undefined }), failure: () => refused })
    await expect(snapshots.take({ stream: 'door' })).rejects.toMatchObject({
      kind: 'FailedPrecondition',
      message: refused.message,
    })
  })

  test('its own still goes before; a picture of the stream stands in for one that fails', async () => {
    const own = Uint8Array.of(0xff, 0xd8, 9)
    const first = rig({ vendorStill: async () => own })
    expect((await first.snapshots.take({ stream: 'door' })).jpeg).toBe(own)
    expect(first.made.length).toBe(0)
    for (const vendorStill of [
      async () => Buffer.from('<html>'),
      async () => Promise.reject(new AppError('Unavailable', 'no answer')),
    ]) {
      const { publish, snapshots } = rig({ vendorStill })
      publish()
      expect((await snapshots.take({ stream: 'door' })).jpeg).toBe(jpegBytes)
    }
    first.publish()
    expect((await first.snapshots.take({ stream: 'door', ownPicture: true })).jpeg).toBe(jpegBytes)
  })

  test('credentials that are refused are not tried on the stream', async () => {
    const { publish, snapshots } = rig({
      vendorStill: () => Promise.reject(new AppError('Unauthenticated', 'refuses the password')),
    })
    publish()
    await expect(snapshots.take({ stream: 'door' })).rejects.toMatchObject({ kind: 'FailedPrecondition' })
  })
})

test('a time that is not held: what is held is said', async () => {
  const row = { stream: 'door', epoch: 1, seq: 1, units: 1, sizeBytes: 1, continues: false, uploaded: false }
  const segments = async ({ from }: { from?: number }) =>
    from === undefined ? [{ ...row, local: true, from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 0, 2) }] : []
  const { snapshots, publish } = rig({ ring: { segments, read: async () => new Uint8Array(0) } })
  publish()
  const past = snapshots.take({ stream: 'door', at: Date.UTC(2026, 5, 1) })
  await expect(past).rejects.toMatchObject({ kind: 'FailedPrecondition' })
  await expect(past).rejects.toThrow('held is 2026-01-01T00:00:00.000Z to 2026-01-02T00:00:00.000Z')
})

describe('JPEG', () => {
  test.skipIf(!hasProgram('ffmpeg'))('of a key frame, turned as the phone was held', async () => {
    const [unit] = clipUnits()
    if (unit?.config.track !== 'video') throw new Error('the clip begins with a picture')
    const toJpeg = createToJpeg(async () => 'ffmpeg')
    for (const rotation of [0, 90] as const) {
      const jpeg = await toJpeg({ config: { ...unit.config, rotation }, nalUnits: unit.nalUnits, takenAt: 0 })
      expect([jpeg[0], jpeg[1], jpeg.at(-2), jpeg.at(-1)]).toEqual([0xff, 0xd8, 0xff, 0xd9])
      const { width, height } = unit.config
      expect(sizeOf(jpeg)).toEqual(rotation === 0 ? [width, height] : [height, width])
    }
    const broken = toJpeg({ config: unit.config, nalUnits: [new Uint8Array(50)], takenAt: 0 })
    await expect(broken).rejects.toMatchObject({ kind: expect.stringMatching(/DataLoss|InvalidArgument/) })
  })

  test('no FFmpeg', async () => {
    const toJpeg = createToJpeg(async () => undefined)
    const { config } = fakeUnit()
    if (config.track !== 'video') throw new Error('a picture')
    await expect(toJpeg({ config, nalUnits: [], takenAt: 0 })).rejects.toThrow(/FFmpeg, and it is not found/)
  })
})

/** Width and height of its frame header (SOF0). */
function sizeOf(jpeg: Uint8Array): [number, number] {
  const bytes = Buffer.from(jpeg)
  const at = bytes.indexOf(Uint8Array.of(0xff, 0xc0))
  return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5)]
}
