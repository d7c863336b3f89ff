import { expect, test } from 'vitest'
import { alarmsOf, usedPercent } from '../../../web/status/alarms.ts'
import { en } from '../../../web/text/en.ts'
import { busyLab, newLab } from '../../support/page-data.ts'

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
      health: { status: 'degraded', queues: { mux: { waiting: 0, inFlight: 0, dead: 2 } } },
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
