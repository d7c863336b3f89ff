import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../shared/node/clock.ts'
import { openHere, picturesIn, recordUntil } from '../support/killed-recorder.ts'

const isRoot = process.getuid?.() === 0

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ring-full-'))
  if (isRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dir])
})
afterEach(async () => {
  if (isRoot) execFileSync('umount', ['-l', dir])
  await rm(dir, { recursive: true, force: true })
})

/** A recording wants all of it, so that nothing may be recycled. */
async function claim(): Promise<void> {
  const streams = ['door', 'yard'].map((name) => ({ name, from: 0, to: null, segments: [], gaps: [] }))
  const about = {
    version: 1,
    id: 'all',
    agent: 'lab',
    rev: 1,
    state: 'open',
    labels: [],
    createdAt: 0,
    from: 0,
  }
  await writeFile(join(dir, 'recordings/all.json'), JSON.stringify({ ...about, to: null, streams }))
}

/** Others take all that is left, to the last byte. */
async function fill(): Promise<void> {
  for (const bytes of [1 << 20, 4096]) {
    for (let n = 0; (await statfs(dir)).bavail > 0; n += 1) {
      const full = await writeFile(join(dir, `ballast.${bytes}.${n}`), new Uint8Array(bytes)).then(
        () => false,
        () => true,
      )
      if (full) break
    }
  }
}

// RELIABILITY.md A8, at the worst moment. Mounting a small disk needs root.
test.skipIf(!isRoot)(
  'killed, the disk filled by others, started again: nothing is lost, and the ring takes up again when there is room',
  async () => {
    const told = await recordUntil(dir, 0, async (kill, sofar) => {
      while (sofar.length === 0 || !existsSync(join(dir, 'ring/_ballast'))) await systemClock.sleep(50)
      kill()
    })
    await claim()
    await fill()
    expect((await statfs(dir)).bavail).toBe(0)
    const ring = await openHere(dir, 'stop')
    const found = new Set(await picturesIn(ring, 'door'))
    expect(told.filter(({ n }) => !found.has(n))).toEqual([])
    expect((await ring.gaps({ stream: 'door' })).map(({ cause }) => cause)).toEqual(['crash'])
    while (ring.stats().alarm === undefined) await systemClock.sleep(50)
    expect(ring.stats().alarm).toMatch(/disk full/)

    execFileSync('sh', ['-c', `rm ${dir}/ballast.*`])
    while (ring.stats().alarm !== undefined || !existsSync(join(dir, 'ring/_ballast'))) {
      await systemClock.sleep(50)
    }
    await ring[Symbol.asyncDispose]()
  },
  60_000,
)
