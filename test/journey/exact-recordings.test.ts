import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { simRtmp } from '../../agent/sim/rtmp.ts'
import { probePackets, probeStreams } from '../support/movie-judges.ts'
import { freePort, Program } from '../support/program.ts'
import { hasProgram, sharedPath } from '../support/shared-data.ts'

// Recordings asked at any time: the first picture shown is the first at or after it, in every file of a group.

const file = sharedPath('data', 'h264', 'ex_nvr__video-30-10s.h264')
const ready = file !== undefined && hasProgram('ffprobe')
if (!ready) console.log('skipped: the recordings beside the repository and FFmpeg are needed')

const streams = ['a', 'b', 'c']
const pictureMs = 1000 / 30

describe.skipIf(!ready)(
  'recordings of three streams, with key frames every two seconds, each at its own time',
  () => {
    const stop = new AbortController()
    let program: Program
    let whole = ''
    let begunMs = 0

    beforeAll(async () => {
      const port = await freePort()
      program = await Program.start({ config: `rtmp: { port: ${port} }\ngrpc: { port: null }\n` })
      begunMs = Date.now()
      for (const [n, stream] of streams.entries()) {
        const token = await program.publisherToken(stream)
        const url = `rtmp://127.0.0.1:${port}/live/${stream}`
        const encoder = simRtmp({ url, token, ...(file && { file }), fps: 30, signal: stop.signal })
        encoder.catch(() => undefined)
        await sleep(n < 2 ? 650 : 0)
      }
      await sleep(13_000)
    }, 60_000)
    afterAll(async () => {
      stop.abort()
      await program?.[Symbol.asyncDispose]()
    })

    const record = (request: object) =>
      program.post<{ id: string }>('/agent/v1/recordings', { streams, ...request }).then(({ id }) => id)

    /** Wall times and sizes of all pictures that the agent received. */
    async function pictures(stream: string): Promise<{ wallMs: number; sizeBytes: number }[]> {
      const csv = await program.fetch(`/v1/recordings/${whole}/timestamps.csv?stream=${stream}`)
      const rows = (await csv.text()).trim().split('\n').slice(1)
      const packets = probePackets(await movie(whole, stream), 'v').filter(({ discard }) => !discard)
      expect(packets.length).toBe(rows.length)
      return rows.map((row, n) => ({
        wallMs: Number(row.split(',')[2]),
        sizeBytes: packets[n]?.sizeBytes ?? 0,
      }))
    }

    async function movie(id: string, stream: string): Promise<Uint8Array> {
      const response = await program.fetch(`/v1/recordings/${id}/download?stream=${stream}`)
      expect(response.status).toBe(200)
      return await response.bytes()
    }

    const asked: { what: string; from: number; durationMs: number; id: string }[] = []
    async function ask(what: string, from: number, durationMs: number) {
      asked.push({ what, from, durationMs, id: await record({ from, durationSeconds: durationMs / 1000 }) })
    }

    test('are started now, in the past and in the future', async () => {
      const nowMs = Date.now()
      whole = await record({ from: begunMs - 1000 })
      await ask('one second ago', nowMs - 1000, 2000)
      await ask('ten seconds ago', nowMs - 10_000, 3000)
      await ask('ten seconds ago, in mid-GOP', nowMs - 9330, 1100)
      await ask('now', Date.now(), 1500)
      await ask('in the future', Date.now() + 1700, 2300)
      await ask('in the future, in mid-GOP', Date.now() + 2411, 700)
      await sleep(6000)
      await program.post(`/agent/v1/recordings/${whole}/stop`)
      await program.ready(whole, 60_000)
      expect(asked.length).toBe(6)
    }, 90_000)

    test('of which the ring holds only the later part, with the rest as a gap', async () => {
      const detail = await program.ready(whole)
      expect(detail.from).toBe(begunMs - 1000)
      for (const stream of detail.streams) {
        const [first] = await pictures(stream.name)
        expect(stream.gaps).toEqual([{ from: begunMs - 1000, to: first?.wallMs, cause: 'source-lost' }])
      }
    }, 60_000)

    test('show the first picture at or after their time, and last as long as was asked', async () => {
      for (const { what, from, durationMs, id } of asked) {
        const detail = await program.ready(id, 60_000)
        expect({ what, from: detail.from, to: detail.to }).toEqual({ what, from, to: from + durationMs })
        for (const stream of streams) {
          const all = await pictures(stream)
          // The wall clock of a stream is known to a millisecond or two: what it learnt between two segments.
          const expected = all.filter(({ wallMs }) => wallMs >= from && wallMs < from + durationMs)
          const bytes = await movie(id, stream)
          const packets = probePackets(bytes, 'v')
          const shown = packets.filter(({ discard }) => !discard)
          const [first] = shown
          const firstMs = from + (first?.ptsMs ?? 0)
          const firstAt = all.findIndex(({ wallMs }) => Math.abs(wallMs - firstMs) <= 3)
          const where = `${what}, ${stream}: ${JSON.stringify({ first, expected: expected[0], n: shown.length })}`
          expect(packets[0]?.key, where).toBe(true)
          expect(first?.ptsMs ?? -1, where).toBeGreaterThanOrEqual(0)
          expect(firstAt, where).toBeGreaterThanOrEqual(0)
          expect(all[firstAt - 1]?.wallMs ?? 0, where).toBeLessThan(from + 3)
          expect(
            shown.map(({ sizeBytes }) => sizeBytes),
            where,
          ).toEqual(all.slice(firstAt, firstAt + shown.length).map(({ sizeBytes }) => sizeBytes))
          expect(Math.abs(shown.length - expected.length), where).toBeLessThanOrEqual(1)
          const seconds = Number((probeStreams(bytes).format as { duration?: string }).duration)
          expect(Math.abs(seconds * 1000 - durationMs), where).toBeLessThanOrEqual(pictureMs + 3)
        }
      }
    }, 120_000)

    test('a time of which nothing is held is refused, with what is', async () => {
      const body = JSON.stringify({ streams: ['a'], from: begunMs - 60_000, durationSeconds: 10 })
      const response = await program.fetch('/agent/v1/recordings', { method: 'POST', body })
      expect(response.status).toBe(412)
      expect(await response.text()).toMatch(
        /a cannot be recorded from then: what is held (begins at|is of) 20/,
      )
    })

    test('stills: of now, and of the key frame nearest to a time', async () => {
      const still = async (body: object) => {
        const response = await program.fetch('/agent/v1/streams/a/snapshot', {
          method: 'POST',
          body: JSON.stringify(body),
        })
        expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
        const takenAt = Date.parse(response.headers.get('x-taken-at') ?? '')
        const bytes = await response.bytes()
        expect([bytes[0], bytes[1]]).toEqual([0xff, 0xd8])
        return takenAt
      }
      expect(Date.now() - (await still({}))).toBeLessThan(2500)
      for (const ago of [700, 4000, 12_000, 16_500]) {
        const at = Date.now() - ago
        // A key frame every 2 s; the one after a time that has only just passed may not be there yet.
        const farthestMs = Math.max(1000, 2000 - ago) + 300
        expect(Math.abs((await still({ at })) - at)).toBeLessThanOrEqual(farthestMs)
      }
      const old = await program.fetch('/agent/v1/streams/a/snapshot', {
        method: 'POST',
        body: JSON.stringify({ at: begunMs - 60_000 }),
      })
      expect(old.status).toBe(412)
      expect(await old.text()).toContain('there is no picture of that time here; held is 20')
      const page = await program.fetch('/agent/v1/streams/a/still')
      expect(page.headers.get('content-type')).toBe('image/jpeg')
    }, 60_000)
  },
)
