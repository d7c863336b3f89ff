import { expect, test } from 'vitest'
import type { Health } from '../../../shared/contract/api.ts'
import { alarmsOf, isSilent, usedPercent } from '../../../web/status/alarms.ts'
import { en } from '../../../web/text/en.ts'
import { zh } from '../../../web/text/zh.ts'
import { busyLab, newLab, openRecording, stream } from '../../support/page-data.ts'

const well: Health = {
  status: 'ok',
  queues: {},
  answers: { queues: true, database: true, store: true },
}
const calm = { agentSilent: false, health: undefined, cloudSilent: false }

test('a lab that works has nothing to say', () => {
  expect(alarmsOf({ ...calm, stats: busyLab(0).stats }, en)).toEqual([])
  expect(alarmsOf({ ...calm, stats: undefined }, en)).toEqual([])
})

test("the disk's own words replace the quota's", () => {
  const { stats } = newLab(0)
  const ring = { usedBytes: 97, quotaBytes: 100, freeBytes: 1, segments: 1, queueBytes: 0 }
  expect(alarmsOf({ ...calm, stats: { ...stats, ring } }, en)).toEqual(['The disk quota is 97 % full.'])
  const broken = { ...ring, alarm: 'The disk cannot be written.' }
  expect(alarmsOf({ ...calm, stats: { ...stats, ring: broken } }, en)).toEqual([
    'The disk cannot be written.',
  ])
})

test('silence, waiting uploads, dead letters and open doors are said', () => {
  const { stats } = busyLab(0)
  const alarms = alarmsOf(
    {
      stats: {
        ...stats,
        door: { lan: true, tls: false, addresses: [], allowWithoutToken: true },
        upload: { state: 'waiting', pendingSegments: 1, pendingBytes: 1, message: 'the archive refuses' },
      },
      agentSilent: true,
      cloudSilent: true,
      health: { ...well, status: 'degraded', queues: { mux: { waiting: 0, inFlight: 0, dead: 2 } } },
    },
    en,
  )
  expect(alarms).toHaveLength(5)
  expect(alarms).toContain('the archive refuses')
  expect(alarms).toContain('2 pieces of work were given up. See Tasks.')
})

test('a quota of 0 is no division by zero', () => {
  expect(usedPercent({ usedBytes: 5, quotaBytes: 0 })).toBe(0)
  expect(usedPercent(undefined)).toBe(0)
})

test('a camera that does not come is said, with its reason, in the language of the page', () => {
  const reason = 'the camera refuses the connection'
  const camera = { state: 'offline', since: 0, failures: 3, reason, reasonZh: '摄像头拒绝连接' } as const
  const streams = [stream('gate', { state: 'waiting', camera }), stream('door')]
  expect(alarmsOf({ ...calm, stats: undefined, streams }, en)).toEqual([
    'gate gives no pictures: the camera refuses the connection',
  ])
  expect(alarmsOf({ ...calm, stats: undefined, streams }, zh)).toEqual(['gate 没有画面：摄像头拒绝连接'])
})

test('a camera that nobody wants is no alarm; one that is recorded and gives nothing is', () => {
  const idle = { state: 'idle', since: 0, failures: 0 } as const
  const streams = [
    stream('gate', { state: 'waiting', camera: idle }),
    stream('Pixel-7', { state: 'waiting', recordings: ['take'] }),
    stream('iPad', { state: 'waiting', recordings: ['armed'] }),
  ]
  const open = [
    openRecording(0, 'take', ['Pixel-7'], 'Violin'),
    { ...openRecording(0, 'armed', ['iPad']), state: 'armed' as const },
  ]
  expect(alarmsOf({ ...calm, stats: undefined, streams, open }, en)).toEqual([
    'Pixel-7 gives no pictures, and is being recorded in “Violin”.',
  ])
})

test('an archive that works in part is not called well', () => {
  const health: Health = {
    ...well,
    status: 'degraded',
    answers: { queues: true, database: false, store: true },
    disk: { freeBytes: 1.5e9, totalBytes: 100e9, low: true },
    ffmpeg: false,
  }
  expect(alarmsOf({ ...calm, stats: undefined, health }, en)).toEqual([
    'The archive works only in part. No answer comes from: the catalogue.',
    'The disk of the archive is nearly full: 1.5 GB are free.',
    'The archive has no FFmpeg: no thumbnails, and no sound for browsers. Run: npm run setup',
  ])
})

test("the recorder's words for its disk become sentences, those that are not known stay as they are", () => {
  const { stats } = newLab(0)
  const ring = { usedBytes: 1, quotaBytes: 100, freeBytes: 1, segments: 1, queueBytes: 0 }
  const said = (alarm: string) => alarmsOf({ ...calm, stats: { ...stats, ring: { ...ring, alarm } } }, zh)
  expect(said('disk full')[0]).toMatch(/^磁盘已满/)
  expect(said('the disk failed: EIO')).toEqual(['the disk failed: EIO'])
})

test('a source that is connected and stands still gives no pictures, whatever it is called', () => {
  const now = Date.now()
  const streams = [
    stream('still', { lastUnitAt: now - 60_000, recordings: ['a'] }),
    stream('moves', { lastUnitAt: now, recordings: ['a'] }),
  ]
  expect(streams.map(isSilent)).toEqual([true, false])
  const open = [openRecording(now - 90_000, 'a', ['still', 'moves'], 'Take 1')]
  expect(alarmsOf({ ...calm, stats: undefined, streams, open }, en)).toEqual([
    'still gives no pictures, and is being recorded in “Take 1”.',
  ])
})

test('why uploads wait is said in the language of the page, where the recorder has it', () => {
  const { stats } = busyLab(0)
  const upload = {
    state: 'waiting',
    pendingSegments: 1,
    pendingBytes: 1,
    message: 'a',
    messageZh: '甲',
  } as const
  expect(alarmsOf({ ...calm, stats: { ...stats, upload } }, en)).toEqual(['a'])
  expect(alarmsOf({ ...calm, stats: { ...stats, upload } }, zh)).toEqual(['甲'])
})
