import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { simVehicle } from '../../agent/sim/vehicle.ts'
import { loadVehicleFootage } from '../../agent/sim/vehicle-footage.ts'
import { decodePictures, probePackets, probeStreams } from '../support/movie-judges.ts'
import { freePort, Program } from '../support/program.ts'
import { hasProgram } from '../support/shared-data.ts'

// Simulated vehicles, recorded by the whole program: a connection that breaks, H.265 of a vehicle of 2019.

const run = promisify(execFile)
const ready = hasProgram('ffprobe') && hasProgram('ffmpeg')
if (!ready) console.log('skipped: FFmpeg is needed')

describe.skipIf(!ready)('simulated vehicles', () => {
  let program: Program
  let directory = ''
  let port = 0
  beforeAll(async () => {
    port = await freePort()
    directory = await mkdtemp(join(tmpdir(), 'edgereel-vehicle-'))
    program = await Program.start({ config: `vehicles: { live: { port: ${port} } }` })
  }, 60_000)
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  /** All of a stream since `from`, as one MP4. */
  async function take(stream: string, from: number) {
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', { streams: [stream], from })
    await program.post(`/agent/v1/recordings/${id}/stop`)
    const detail = await program.ready(id, 60_000)
    const files = detail.streams[0]?.export.files ?? []
    const movies = []
    for (const { part } of files) {
      const path = `/v1/recordings/${id}/download?stream=${stream}&part=${part}&format=mp4`
      movies.push(Buffer.from(await (await program.fetch(path)).arrayBuffer()))
    }
    return { detail, movies }
  }

  const gone = () =>
    program.until(
      async () => /edgereel_vehicle_channels 0/.test(await (await program.fetch('/metrics')).text()),
      10_000,
      'all gone',
    )

  test('one that breaks and comes back: one recording, its hole a gap, every picture else at its time', async () => {
    const from = Date.now()
    const stop = new AbortController()
    const options = { sims: ['4711'], channels: 1, version: 2016, sound: 'none', clock: 'epoch' } as const
    const filming = simVehicle({
      ...options,
      host: '127.0.0.1',
      port,
      reconnectSeconds: 3,
      signal: stop.signal,
    })
    await sleep(8000)
    stop.abort()
    await filming
    await gone()
    const { detail, movies } = await take('00000000471101', from)
    const lost = detail.streams[0]?.gaps.filter(({ cause }) => cause === 'source-lost') ?? []
    // The first may be from the recording's beginning to the first picture.
    const gaps = lost.filter(({ from: begin, to }) => +new Date(to) - +new Date(begin) > 500)
    expect(gaps.length).toBeGreaterThanOrEqual(1)
    const steps = movies.flatMap((movie) => {
      expect(decodePictures(movie).complaints).toBe('')
      const shown = probePackets(movie, 'v').map(({ ptsMs }) => ptsMs)
      return shown.slice(1).map((ms, i) => Math.round(ms - (shown[i] ?? 0)))
    })
    // Of each hole the step is longer; all others are the clip's.
    expect(steps.filter((ms) => ms !== 40).length).toBeLessThanOrEqual(gaps.length)
    expect(steps.length).toBeGreaterThan(100)
  }, 90_000)

  test('H.265 with G.711 μ of a vehicle of 2019', async () => {
    const file = join(directory, 'clip.h265')
    const encode = ['-c:v', 'libx265', '-x265-params', 'log-level=none:bframes=0:keyint=25', '-f', 'hevc']
    await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=s=320x240:r=25:d=4', ...encode, file])
    const film = await loadVehicleFootage(file, { sound: 'g711u' })
    const from = Date.now()
    const { signal } = new AbortController()
    const options = {
      sims: ['4712'],
      channels: 1,
      version: 2019,
      sound: 'g711u',
      clock: 'boot',
      file,
    } as const
    await simVehicle({ ...options, host: '127.0.0.1', port, once: true, signal })
    await gone()
    const { movies } = await take('0000000000000000471201', from)
    const [movie = Buffer.alloc(0)] = movies
    expect(probeStreams(movie).streams.map(({ codec_name: codec }) => codec)).toEqual(['hevc', 'aac'])
    const shown = probePackets(movie, 'v').map(({ ptsMs }) => ptsMs)
    const stamps = film.frames.filter(({ dataType }) => dataType < 3).map(({ stampMs }) => stampMs)
    expect(shown.map((ms) => Math.round(ms - (shown[0] ?? 0)))).toEqual(stamps)
    expect(decodePictures(movie).complaints).toBe('')
  }, 90_000)
})
