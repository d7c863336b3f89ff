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
    for (let run = 0; run < kills; run += 1) {
      // Far enough: what was not told may be there as well. A key frame: what comes before one is not recorded.
      const first = Math.ceil((written.at(-1) ?? 0) / 1000 + 1) * 1000
      const told = await recordUntil(dir, first, async (kill) => {
        await systemClock.sleep(50 + Math.random() * 700)
        kill()
      })
      expect(told.length).toBeGreaterThan(0)
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
      expect(crashes.length).toBe(kills)
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
