import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../shared/node/clock.ts'
import { openHere, picturesIn, recordUntil } from '../support/killed-recorder.ts'

const kills = Number(process.env.EDGEREEL_KILLS ?? 10)

/** RELIABILITY.md A1. The same directory all the time: each run begins with what the last one left. */
test(`kill -9 at ${kills} random moments loses no picture that was written`, {
  timeout: kills * 10_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ring-kill-'))
  try {
    const written: number[] = []
    // One that a busy machine gave no time to write anything is no test of what was written: it is done again.
    let died = 0
    let run = 0
    for (; died < kills; run += 1) {
      // Far enough: what was not told may be there as well. A key frame: what comes before one is not recorded.
      const told = await recordUntil(dir, run * 10_000, async (kill) => {
        await systemClock.sleep(50 + Math.random() * 700)
        kill()
      })
      if (told.length > 0) died += 1
      written.push(...told.map(({ n }) => n))
    }
    await using ring = await openHere(dir)
    for (const stream of ['door', 'yard']) {
      const found = await picturesIn(ring, stream)
      expect(new Set(found).size).toBe(found.length)
      expect(found).toEqual(found.toSorted((a, b) => a - b))
      const present = new Set(found)
      expect(written.filter((n) => !present.has(n))).toEqual([])
      const crashes = (await ring.gaps({ stream })).filter(({ cause }) => cause === 'crash')
      expect(crashes.length).toBeGreaterThanOrEqual(kills)
      expect(crashes.length).toBeLessThanOrEqual(run)
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
