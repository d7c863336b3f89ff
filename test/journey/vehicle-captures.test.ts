import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isDropped, isParameterSet, nalType, splitAnnexB } from '../../shared/media/nal.ts'
import { probePackets } from '../support/movie-judges.ts'
import { freePort, Program } from '../support/program.ts'
import { hasProgram, sharedPath } from '../support/shared-data.ts'
import { parseAll } from '../support/vehicle-packets.ts'

// The captures of ../shared/data, replayed as vehicles send, through the whole program.

const run = promisify(execFile)
const truthPath = sharedPath('data', 'jt1078', 'truth.json')
const replay = sharedPath('tools', 'jt_replay.py')
const ready =
  truthPath !== undefined && replay !== undefined && hasProgram('python3') && hasProgram('ffprobe')
if (!ready) console.log('skipped: the captures beside the repository, Python and FFmpeg are needed')

const truthSchema = z.record(
  z.string(),
  z.object({
    streams: z.record(z.string(), z.object({ units: z.number(), unit_ts_delta_ms: z.array(z.number()) })),
  }),
)
const pieces = [0, 1, 7, 1000] // Bytes of each write; 0: as the packets are.

type Take = { file: string; piece: number; stream: string; deltas: number[] }

describe.skipIf(!ready)('captures of vehicles, recorded', () => {
  let program: Program
  let takes: Take[] = []
  beforeAll(async () => {
    const port = await freePort()
    program = await Program.start({ config: `vehicles: { live: { port: ${port} } }` })
    takes = allTakes()
    const from = Date.now()
    await Promise.all(takes.map((take) => send(take, port)))
    await program.until(
      async () => (await metric(program, 'edgereel_vehicle_channels')) === 0,
      5000,
      'all gone',
    )
    const streams = takes.map(({ stream }) => stream)
    const { id } = await program.post<{ id: string }>('/agent/v1/recordings', { streams, from })
    await program.post(`/agent/v1/recordings/${id}/stop`)
    await program.ready(id, 60_000)
    recording = id
  }, 150_000)
  afterAll(() => program?.[Symbol.asyncDispose]())
  let recording = ''

  const download = async (stream: string, format: string) => {
    const path = `/v1/recordings/${recording}/download?stream=${stream}&part=1&format=${format}`
    const response = await program.fetch(path)
    expect(response.status).toBe(200)
    return Buffer.from(await response.arrayBuffer())
  }

  test('every picture at its time, within 1 ms, however the bytes were cut', async () => {
    for (const { stream, deltas, piece, file } of takes) {
      const shown = probePackets(await download(stream, 'mp4'), 'v').map(({ ptsMs }) => ptsMs)
      expect(shown, `${file} in pieces of ${piece}`).toHaveLength(deltas.length + 1)
      const wrong = shown
        .slice(1)
        .map((ms, i) => Math.abs(ms - (shown[0] ?? 0) - sum(deltas.slice(0, i + 1))))
      expect(Math.max(0, ...wrong)).toBeLessThan(1)
    }
  }, 60_000)

  test('every NAL unit, byte for byte', async () => {
    for (const { stream, file } of takes) {
      const packets = parseAll(readFileSync(sharedPath('data', 'jt1078', file) ?? ''))
      const wire = Buffer.concat(packets.filter(({ dataType }) => dataType < 3).map(({ body }) => body))
      const kept = splitAnnexB(await download(stream, 'h264'), Number.MAX_SAFE_INTEGER)
      expect(kept.filter(isPicture)).toEqual(splitAnnexB(wire, Number.MAX_SAFE_INTEGER).filter(isPicture))
      const sets = new Set(splitAnnexB(wire, Number.MAX_SAFE_INTEGER).filter(isSet).map(hexOf))
      expect(new Set(kept.filter(isSet).map(hexOf))).toEqual(sets)
    }
  })

  test('nothing was lost, skipped or refused', async () => {
    for (const name of ['lost_packets', 'skipped_bytes', 'resyncs', 'spoofed', 'displaced', 'held'])
      expect(await metric(program, `edgereel_vehicle_${name}_total`)).toBe(0)
    expect(await program.fetch('/metrics').then((answer) => answer.text())).not.toMatch(
      /vehicle_refused_total\{/,
    )
  })

  async function send({ file, piece, stream }: Take, port: number): Promise<void> {
    const path = sharedPath('data', 'jt1078', file) ?? ''
    const chunk = piece === 0 ? [] : ['--chunk', String(piece)]
    const who = ['--sim', stream.slice(0, 12), '--channel', String(Number.parseInt(stream.slice(12), 16))]
    await run('python3', [replay ?? '', path, '127.0.0.1', String(port), ...chunk, ...who])
  }
})

/** Each capture in each kind of pieces, as a vehicle of its own with four channels. */
function allTakes(): Take[] {
  const truth = truthSchema.parse(JSON.parse(readFileSync(truthPath ?? '', 'utf8')))
  return Object.entries(truth).flatMap(([file, { streams }], vehicle) =>
    pieces.map((piece, i) => {
      const video = Object.entries(streams).find(([name]) => name.endsWith('video'))?.[1]
      const stream = `01390000000${vehicle}0${i + 1}`
      return { file, piece, stream, deltas: video?.unit_ts_delta_ms ?? [] }
    }),
  )
}

async function metric(program: Program, name: string): Promise<number> {
  const text = await (await program.fetch('/metrics')).text()
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
const hexOf = (nal: Uint8Array) => Buffer.from(nal).toString('hex')
const isSet = (nal: Uint8Array) => isParameterSet('h264', nalType('h264', nal))
const isPicture = (nal: Uint8Array) => !isSet(nal) && !isDropped('h264', nalType('h264', nal))
