import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Program } from '../support/program.ts'
import { filmingCamera, until } from '../support/rtsp-rig.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const library = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path))

const hour = 3_600_000

/**
 * RELIABILITY.md D7, the agent itself: all its processes stand still for eight hours. A machine that sleeps does not
 * count the time in CLOCK_MONOTONIC; processes that were stopped find that it went on. Debian's package libfaketime.
 */
test.skipIf(library === undefined).each([
  ['the machine slept', { FAKETIME_DONT_FAKE_MONOTONIC: '1' }],
  ['the processes were stopped', {}],
])(
  '%s for eight hours: one gap of eight hours, nothing is made up for, and recording goes on',
  async (_name, env) => {
    await using directory = await temporaryDirectory()
    const clockFile = join(directory.path, 'faketime')
    await writeFile(clockFile, '+0s')
    const fake = { LD_PRELOAD: library ?? '', FAKETIME_TIMESTAMP_FILE: clockFile, FAKETIME_NO_CACHE: '1' }
    let camera = await filmingCamera()
    const config = `cameras: { allow: [127.0.0.0/8] }\nrtmp: { port: null }\ngrpc: { port: null }
streams: { door: { source: "${camera.url}", ring: always } }\n`
    await using program = await Program.start({ config, env: { ...fake, ...env } })
    await until(() => camera.playing === 1, 'it is fetched from', 20_000)
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', { streams: ['door'] })
    const began = camera.sent.length
    await sleep(4000)
    const before = camera.sent.length - began

    process.kill(-program.pid, 'SIGSTOP')
    await camera[Symbol.asyncDispose]() // Its connections do not live for so long.
    await writeFile(clockFile, '+8h')
    const said = program.output.length
    camera = await filmingCamera({ port: Number(new URL(camera.url).port) })
    process.kill(-program.pid, 'SIGCONT')
    await until(() => camera.playing === 1, 'it is fetched from again', 60_000)
    await sleep(5000)
    expect(camera.playing).toBe(1)
    await program.post(`/agent/v1/recordings/${id}/stop`)

    const detail = await program.ready(id, 60_000)
    const [stream] = detail.streams
    const [gap] = stream?.gaps ?? []
    expect(stream?.gaps.map(({ cause }) => cause)).toEqual(['source-lost'])
    expect((gap?.to ?? 0) - (gap?.from ?? 0)).toBeGreaterThan(8 * hour - 5000)
    expect((gap?.to ?? 0) - (gap?.from ?? 0)).toBeLessThan(8 * hour + 60_000)
    expect((detail.to ?? 0) - detail.from).toBeGreaterThan(8 * hour)
    const csv = await (await program.fetch(`/v1/recordings/${id}/timestamps.csv`)).text()
    const lines = csv.trim().split('\n').slice(1)
    const times = lines.map((line) => Number(line.split(',')[2]))
    const steps = times.slice(1).map((time, i) => time - (times[i] ?? 0))
    expect(times.length).toBeGreaterThan(before + 50)
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(0)
    expect(steps.filter((step) => step > 1000 && step < 8 * hour - 5000)).toEqual([])
    // No timer fires for each time that it missed, and nobody is taken for dead because everybody stood still.
    expect(program.running).toBe(true)
    const after = program.output.slice(said)
    expect(after).not.toMatch(/is started again|did not answer|died/)
    expect(after.split('\n').length).toBeLessThan(100)
    await camera[Symbol.asyncDispose]()
  },
  180_000,
)
