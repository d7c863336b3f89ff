import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadFootage } from '../../agent/sim/footage.ts'
import { simPhone } from '../../agent/sim/phone.ts'
import type { PhoneInfo, PhonesAnswer, PhonesStopped } from '../../shared/contract/agent-api.ts'
import { Program } from '../support/program.ts'
import { hasProgram, sharedPath } from '../support/shared-data.ts'
import { decodingComplaints, downloadTake, spacings, takeOf } from '../support/takes.ts'

const run = promisify(execFile)
const python = '/usr/bin/python3'
const sender = sharedPath('tools', 'ws_phone.py')
const folder = sharedPath('data', 'h264')
const judged = hasProgram('ffprobe')
if (!judged || !folder)
  console.log('skipped in part: FFmpeg and the recordings beside the repository are needed')

let program: Program
beforeAll(async () => {
  if (judged) program = await Program.start()
}, 60_000)
afterAll(() => program?.[Symbol.asyncDispose]())

const url = () => `ws://127.0.0.1:${program.port}/android-cam`
const phones = async () => (await program.json<{ phones: PhoneInfo[] }>('/agent/v1/phones')).phones

describe.skipIf(!judged || !folder)('every H.264 stream in the data, sent as a phone', () => {
  const files = folder ? readdirSync(folder).filter((file) => /\.(264|h264|jsv)$/.test(file)) : []
  const nameOf = (file: string) => file.replaceAll(/[^A-Za-z0-9]+/g, '-').slice(0, 60)
  const sent = new Map<string, Promise<void>>()

  beforeAll(async () => {
    for (const file of files) {
      const token = await program.publisherToken(nameOf(file))
      const film = { url: url(), token, file: `${folder}/${file}`, speed: 20, once: true }
      sent.set(file, simPhone({ ...film, signal: AbortSignal.timeout(100_000) }))
    }
  }, 60_000)

  test.each(files)(
    '%s: pictures in are pictures out',
    async (file) => {
      await sent.get(file)
      const { detail, shownMs, complaints } = await takeOf(program, nameOf(file), 90_000)
      const { pictures } = await loadFootage(`${folder}/${file}`)
      const [taken] = detail.streams
      // Only one begins with pictures that cannot be decoded: a gap says how many.
      const lost = file.includes('IDR_LOST') ? 27 : 0
      expect(taken?.units).toBe(pictures.length - lost)
      expect(shownMs).toHaveLength(pictures.length - lost)
      expect(taken?.gaps.map(({ cause, units }) => [cause, units])).toEqual(
        lost > 0 ? [['source-lost', lost]] : [],
      )
      for (const spacing of spacings(shownMs)) expect(Math.abs(spacing - 40)).toBeLessThanOrEqual(1)
      if ((await decodingComplaints(`${folder}/${file}`)) === '') expect(complaints).toBe('')
    },
    120_000,
  )
})

describe.skipIf(!judged || !folder || !hasProgram(python))('a phone that makes mistakes', () => {
  const file = `${folder}/kvs_640x480_403au.264`

  test.each([
    ['trunc', 10, 'bad-packet', 1],
    ['longer', 10, 'bad-packet', 1],
    ['seqgap', 0, 'sequence', 3],
    ['short', 0, undefined, 0],
    ['text', 0, undefined, 0],
  ])(
    '--chunk-bug %s: refused and counted, and the recording goes on',
    async (bug, refused, cause, units) => {
      const stream = `bug-${bug}`
      const address = program.phoneUrl(await program.publisherToken(stream))
      const { stdout } = await run(python, [
        sender ?? '',
        file,
        address,
        '--limit',
        '100',
        '--chunk-bug',
        bug,
      ])
      const numbers = Number(/frames (\d+)/.exec(stdout)?.[1])
      const { detail } = await takeOf(program, stream)
      const [taken] = detail.streams
      const missing = cause === 'sequence' ? (taken?.gaps.length ?? 0) * 3 : refused
      expect(numbers).toBe(100)
      expect(taken?.units).toBe(100 - missing)
      expect(taken?.gaps.map((gap) => [gap.cause, gap.units])).toEqual(
        Array.from({ length: cause === undefined ? 0 : missing / units }, () => [cause, units]),
      )
    },
    60_000,
  )
})

describe.skipIf(!judged)('all phones at once', () => {
  test('are one recording; the one that does not answer is named', async () => {
    const stopSims = new AbortController()
    const sims = []
    for (const name of ['left', 'right']) {
      const token = await program.publisherToken(name)
      sims.push(simPhone({ url: url(), token, signal: stopSims.signal, model: name }))
    }
    const silent = new WebSocket(program.phoneUrl(await program.publisherToken('silent')))
    const connected = async () => (await phones()).filter(({ state }) => state === 'ready').length === 3
    await program.until(connected, 20_000, 'three phones')

    const started = await program.post<PhonesAnswer>('/agent/v1/phones/start', { fps: 25 })
    expect(started.sent.toSorted()).toEqual(['left', 'right', 'silent'])
    expect(started.started.toSorted()).toEqual(['left', 'right'])
    expect(started.failed).toMatchObject([{ name: 'silent', reason: 'no answer' }])
    await sleep(2000)
    const stopped = await program.post<PhonesStopped>('/agent/v1/phones/stop')
    expect(stopped).toMatchObject({ failed: [] })

    const { detail, shownMs } = await downloadTake(program, started.recording ?? '', 'left')
    expect(detail.streams.map(({ name }) => name).toSorted()).toEqual(['left', 'right'])
    for (const stream of detail.streams) {
      expect(stream.units).toBeGreaterThan(40)
      expect(stream.gaps).toEqual([])
      expect(stream.from).toBe(detail.from)
    }
    expect(spacings(shownMs).every((spacing) => Math.abs(spacing - 40) <= 1)).toBe(true)
    silent.close()
    stopSims.abort()
    await Promise.all(sims)
  }, 90_000)
})

describe.skipIf(!judged)('a phone whose connection is lost', () => {
  test('continues the same recording, with a gap where it was away', async () => {
    const token = await program.publisherToken('loose')
    const cut = new AbortController()
    const first = simPhone({ url: url(), token, signal: cut.signal })
    const isReady = async () => (await phones()).some(({ id, state }) => id === 'loose' && state === 'ready')
    await program.until(isReady, 20_000, 'the phone')
    const { recording = '' } = await program.post<PhonesAnswer>('/agent/v1/phones/start', {})
    await sleep(1500)
    cut.abort()
    await first
    expect((await phones()).find(({ id }) => id === 'loose')).toMatchObject({ state: 'lost', recording })

    const again = new AbortController()
    const second = simPhone({ url: url(), token, signal: again.signal }) // Is told to film again by itself.
    const films = async () =>
      (await phones()).some(({ id, state, fps }) => id === 'loose' && state === 'capturing' && fps)
    await program.until(films, 20_000, 'the phone to film again')
    await sleep(1000)
    await program.post('/agent/v1/phones/stop')
    const { detail } = await downloadTake(program, recording, 'loose')
    expect(detail.streams[0]?.gaps).toMatchObject([{ cause: 'source-lost' }])
    expect(detail.streams[0]?.units).toBeGreaterThan(40)
    again.abort()
    await second
  }, 90_000)
})
