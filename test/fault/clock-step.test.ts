import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { simPhone } from '../../agent/sim/phone.ts'
import type { PhoneInfo, PhonesAnswer } from '../../shared/contract/agent-api.ts'
import { freePort, Program } from '../support/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const library = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path))

const hour = 3_600_000

// The machine's clock as a person or NTP sets it (RELIABILITY.md D4). Debian's package libfaketime.
test.skipIf(library === undefined).each([
  ['an hour back', '+0s', '-3600s'],
  ['49 days ahead', '+0s', '+49d'],
  ['from 1970 to today', '-56y', '+0s'],
])(
  'the wall clock steps %s while a phone records: no negative time, no lost picture',
  async (_name, before, after) => {
    await using directory = await temporaryDirectory()
    const clockFile = join(directory.path, 'faketime')
    await writeFile(clockFile, before)
    await using program = await Program.start({ env: fakeTime(clockFile) })
    const stop = new AbortController()
    const token = await program.publisherToken('door')
    const phone = simPhone({ url: `ws://127.0.0.1:${program.port}/android-cam`, token, signal: stop.signal })
    let recording: string | undefined
    const started = async () => {
      recording = (await program.post<PhonesAnswer>('/agent/v1/phones/start', { fps: 25 })).recording
      return recording !== undefined
    }
    await program.until(started, 10_000, 'the phone')
    await sleep(1500)
    await writeFile(clockFile, after)
    await sleep(2500)
    const { phones } = await program.json<{ phones: PhoneInfo[] }>('/agent/v1/phones')
    expect(phones.map(({ state }) => state)).toEqual(['capturing'])
    await program.post('/agent/v1/phones/stop')
    stop.abort()
    await phone

    const detail = await program.ready(recording ?? '')
    const [stream] = detail.streams
    expect(stream?.units).toBeGreaterThan(80)
    expect((detail.to ?? 0) - detail.from).toBeGreaterThan(0)
    for (const gap of stream?.gaps ?? []) expect(gap.to).toBeGreaterThanOrEqual(gap.from)
    // The pictures' own spacing does not know of the machine's clock.
    const csv = await (await program.fetch(`/v1/recordings/${recording}/timestamps.csv`)).text()
    const times = csv
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => Number(line.split(',')[2]))
    expect(times.length).toBe(stream?.units)
    const steps = times.slice(1).map((time, i) => time - (times[i] ?? 0))
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...steps)).toBeLessThan(hour)
    expect(steps.filter((step) => step !== 40).length).toBeLessThanOrEqual(1)
  },
  60_000,
)

test.skipIf(library === undefined)(
  'killed, the clock set back an hour, started again: one recording, every picture',
  async () => {
    await using directory = await temporaryDirectory()
    const data = join(directory.path, 'data')
    await mkdir(data)
    const clockFile = join(directory.path, 'faketime')
    await writeFile(clockFile, '+0s')
    const options = { data, port: await freePort(), env: fakeTime(clockFile) }
    const stop = new AbortController()
    const first = await Program.start(options)
    const token = await first.publisherToken('door')
    const phone = simPhone({ url: `ws://127.0.0.1:${options.port}/android-cam`, token, signal: stop.signal })
    let recording: string | undefined
    const started = async () => {
      recording = (await first.post<PhonesAnswer>('/agent/v1/phones/start', { fps: 25 })).recording
      return recording !== undefined
    }
    await first.until(started, 10_000, 'the phone')
    await sleep(2000)
    await first.kill()
    await writeFile(clockFile, '-3600s')

    await using second = await Program.start(options)
    const back = async () => {
      const { phones } = await second.json<{ phones: PhoneInfo[] }>('/agent/v1/phones')
      return phones.some(({ state }) => state === 'capturing')
    }
    await second.until(back, 20_000, 'the phone back')
    await sleep(2000)
    await second.post('/agent/v1/phones/stop')
    stop.abort()
    await phone
    const detail = await second.ready(recording ?? '')
    const [stream] = detail.streams
    expect(stream?.units).toBeGreaterThan(90)
    expect(stream?.gaps.map(({ cause }) => cause)).toContain('crash')
    for (const gap of stream?.gaps ?? []) expect(gap.to).toBeGreaterThan(gap.from)
  },
  60_000,
)

function fakeTime(clockFile: string): Record<string, string> {
  return {
    LD_PRELOAD: library ?? '',
    FAKETIME_TIMESTAMP_FILE: clockFile,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}
