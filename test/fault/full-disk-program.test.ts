import { execFileSync } from 'node:child_process'
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { simPhone } from '../../agent/sim/phone.ts'
import type { AgentStats, PhonesAnswer } from '../../shared/contract/agent-api.ts'
import { FlvParser } from '../../shared/media/flv.ts'
import { Program } from '../support/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const isRoot = process.getuid?.() === 0

/** A small disk of its own: 96 MB in memory. */
async function smallDisk(): Promise<AsyncDisposable & { path: string }> {
  await using stack = new AsyncDisposableStack()
  const { path } = stack.use(await temporaryDirectory())
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', path])
  stack.defer(() => void execFileSync('umount', ['-l', path]))
  const closing = stack.move()
  return { path, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

// Mounting needs root; the ring's own tests of a full disk run everywhere.
test.skipIf(!isRoot)(
  'a full disk: live goes on, the loss is a gap, recording goes on by itself',
  async () => {
    await using disk = await smallDisk()
    await using program = await Program.start({ data: disk.path, config: 'ring: { whenFull: stop }\n' })
    const stop = new AbortController()
    const token = await program.publisherToken('door')
    const phone = simPhone({ url: `ws://127.0.0.1:${program.port}/android-cam`, token, signal: stop.signal })
    let recording: string | undefined
    const started = async () => {
      recording = (await program.post<PhonesAnswer>('/agent/v1/phones/start', { fps: 25 })).recording
      return recording !== undefined
    }
    await program.until(started, 10_000, 'the phone')
    const viewer = await watch(program, stop.signal)

    const ballast = join(disk.path, 'ballast')
    const alarm = async () => (await program.json<AgentStats>('/agent/v1/stats')).ring?.alarm
    const { bavail, bsize } = await statfs(disk.path)
    await writeFile(ballast, new Uint8Array(bavail * bsize)).catch(() => {}) // Until ENOSPC.
    await program.until(async () => (await alarm()) !== undefined, 20_000, 'the alarm')
    const seen = viewer.pictures
    await sleep(2000)
    expect(viewer.pictures - seen).toBeGreaterThan(40) // 25 a second.

    await rm(ballast)
    await program.until(async () => (await alarm()) === undefined, 15_000, 'the end of the alarm')
    await sleep(1500)
    await program.post('/agent/v1/phones/stop')
    const detail = await program.ready(recording ?? '')
    const gaps = detail.streams[0]?.gaps ?? []
    expect(gaps.map(({ cause }) => cause)).toContain('disk-full')
    for (const gap of gaps) expect(gap.to).toBeGreaterThan(gap.from)
    expect(program.running).toBe(true)
    stop.abort()
    await phone
  },
  90_000,
)

async function watch(program: Program, signal: AbortSignal): Promise<{ pictures: number }> {
  const counted = { pictures: 0 }
  const response = await program.fetch('/live/door.flv', { signal })
  const parser = new FlvParser()
  const read = async () => {
    for await (const chunk of response.body ?? []) {
      counted.pictures += parser.push(chunk).filter(({ kind }) => kind === 'video').length
    }
  }
  read().catch(() => {}) // Aborted at the end of the test.
  return counted
}
