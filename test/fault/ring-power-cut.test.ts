import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../shared/node/clock.ts'
import { openHere, picturesIn, recordUntil } from '../support/killed-recorder.ts'
import { LoopDisk } from '../support/loop-disk.ts'

const cuts = Number(process.env.EDGEREEL_POWER_CUTS ?? 3)

/** RELIABILITY.md A2: a real ext4 on a loop device, shut down without a flush of its journal. */
test(`${cuts} power cuts cost at most the last second of each stream`, { timeout: cuts * 20_000 }, async ({
  skip,
}) => {
  using disk = LoopDisk.open(256)
  if (!disk) return skip('only root can make and mount a disk of its own')
  const dir = join(disk.path, 'data')
  mkdirSync(dir)
  const durable: number[] = []
  const losses: number[] = []
  for (let run = 0; run < cuts; run += 1) {
    const first = Math.ceil((durable.at(-1) ?? 0) / 1000 + 1) * 1000
    let cutAtMs = 0
    const written = await recordUntil(dir, first, async (kill) => {
      await systemClock.sleep(1500 + Math.random() * 1500)
      disk.cutPower()
      cutAtMs = systemClock.nowMs()
      kill()
    })
    disk.unmount()
    disk.mount()
    const before = written.filter(({ atMs }) => atMs < cutAtMs)
    await using ring = await openHere(dir)
    for (const stream of ['door', 'yard']) {
      const found = await picturesIn(ring, stream)
      expect(found).toEqual(found.toSorted((a, b) => a - b))
      const present = new Set(found)
      // Only a tail of this run is missing, and none of the runs before.
      expect(durable.filter((n) => !present.has(n))).toEqual([])
      const missing = before.filter(({ n }) => !present.has(n))
      expect(missing).toEqual(before.slice(before.length - missing.length))
      losses.push(missing[0] ? cutAtMs - missing[0].atMs : 0)
    }
    const present = new Set(await picturesIn(ring, 'door'))
    for (const n of await picturesIn(ring, 'yard')) if (present.has(n)) durable.push(n)
  }
  expect(Math.max(...losses)).toBeLessThanOrEqual(1000)
  console.log(`lost at the ${cuts} cuts, ms: ${losses.join(' ')}`)
})
