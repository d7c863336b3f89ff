import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MpegTsSource } from '../../../../agent/ingest/mpegts.ts'
import { AppError } from '../../../../shared/error.ts'
import type { AccessUnit, SourceGap } from '../../../../shared/media/access-unit.ts'
import { MpegTsParser } from '../../../../shared/media/mpegts.ts'
import { hasProgram } from '../../../support/shared-data.ts'

/** Ten seconds of picture and sound with B-frames, as FFmpeg writes them. */
function made(...args: string[]): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'ts-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const out = join(dir, 'x.ts')
  const inputs = ['-f', 'lavfi', '-i', 'testsrc=s=320x180:r=25:d=4', '-f', 'lavfi', '-i', 'sine=d=4:r=48000']
  const { status, stderr } = spawnSync('ffmpeg', ['-v', 'error', ...inputs, ...args, '-f', 'mpegts', out])
  expect(stderr.toString() + status).toBe('0')
  return readFileSync(out)
}
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '25', '-c:a', 'aac']

function read(bytes: Uint8Array, sizes: number | readonly number[] = 4096) {
  const units: AccessUnit[] = []
  const gaps: SourceGap[] = []
  const refused: string[] = []
  const source = new MpegTsSource(
    { wallMs: 1_700_000_000_000, monotonicMs: 1000 },
    {
      unit: (unit) => units.push(unit),
      gap: (gap) => gaps.push(gap),
      refused: (reason) => refused.push(reason),
    },
  )
  const at = { wallMs: 0, monotonicMs: 1000 }
  let from = 0
  for (let n = 0; from < bytes.length; n += 1) {
    const size = typeof sizes === 'number' ? sizes : Math.max(1, sizes[n % sizes.length] ?? 1)
    source.push(bytes.subarray(from, from + size), at)
    from += size
  }
  source.end(at)
  return { units, gaps, refused }
}

/** Times by ffprobe, ms. */
function probe(bytes: Buffer, track: 'v' | 'a'): number[][] {
  const { stdout } = spawnSync(
    'ffprobe',
    [
      '-v',
      'error',
      '-select_streams',
      `${track}:0`,
      '-show_entries',
      'packet=dts,pts',
      '-of',
      'csv=p=0',
      '-i',
      'pipe:0',
    ],
    { input: bytes },
  )
  return stdout
    .toString()
    .trim()

    .split('\n')
    .filter((line) => /[0-9]/.test(line))
    .map((line) => line.split(',').slice(0, 2).map(Number))
}

describe.skipIf(!hasProgram('ffmpeg') || !hasProgram('ffprobe'))('streams that FFmpeg wrote', () => {
  test('every picture and frame is there, with the spacing of its stamps', () => {
    const bytes = made(...h264)
    const { units, gaps, refused } = read(bytes)
    expect({ gaps, refused }).toEqual({ gaps: [], refused: [] })
    const pictures = units.filter(({ track }) => track === 'video')
    const expected = probe(bytes, 'v') // ffprobe gives pts, dts.
    expect(pictures.length).toBe(100)
    const zero = Math.round((expected[0]?.[1] ?? 0) / 90)
    const first = pictures[0]?.dtsMs ?? 0
    expect(pictures.map(({ ptsMs, dtsMs }) => [ptsMs - first, dtsMs - first])).toEqual(
      expected.map((times) => times.map((ticks) => Math.round(ticks / 90) - zero)),
    )
    expect(pictures.filter(({ randomAccess }) => randomAccess).length).toBe(4)
    expect(pictures[0]?.config).toMatchObject({ codec: 'h264', width: 320, height: 180 })
    const sound = units.filter(({ track }) => track === 'audio')
    expect(sound.length).toBe(probe(bytes, 'a').length)
    expect(sound[0]?.config).toMatchObject({ codec: 'aac', sampleRate: 48_000 })
    const spacing = sound.slice(1).map(({ ptsMs }, n) => ptsMs - (sound[n]?.ptsMs ?? 0))
    expect(new Set(spacing)).toEqual(new Set([21, 22]))
    expect(new Set(units.map(({ epoch }) => epoch))).toEqual(new Set([0]))
  })

  test('any split gives the same', () => {
    const bytes = made(...h264)
    const whole = read(bytes, bytes.length)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        expect(read(bytes, sizes).units).toEqual(whole.units)
      }),
      { numRuns: 8 },
    )
  })

  test('H.265', () => {
    const { units } = read(
      made('-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-an'),
    )
    expect(units.length).toBe(100)
    expect(units[0]?.config).toMatchObject({ codec: 'h265', width: 320, height: 180 })
  })

  test('the 33-bit wrap is one step like all others', () => {
    const start = 2 ** 33 / 90_000 - 2 // The wrap is two seconds in.
    const bytes = made(...h264, '-output_ts_offset', start.toFixed(3))
    const stamps = new MpegTsParser().push(bytes).map(({ dts = 0 }) => dts) // They begin at 2³³ and what was sent.
    expect([Math.min(...stamps) < 2 ** 34, Math.max(...stamps) > 2 ** 34]).toEqual([true, true])
    const { units, gaps } = read(bytes)
    expect(gaps).toEqual([])
    expect(new Set(units.map(({ epoch }) => epoch))).toEqual(new Set([0]))
    const pictures = units.filter(({ track }) => track === 'video')
    expect(new Set(pictures.slice(1).map(({ dtsMs }, n) => dtsMs - (pictures[n]?.dtsMs ?? 0)))).toEqual(
      new Set([40]),
    )
  })

  test('lost packets are a gap, and the picture they hurt says so', () => {
    const bytes = made(...h264)
    const hole = Math.floor(bytes.length / 2 / 188) * 188
    const hurt = Buffer.concat([bytes.subarray(0, hole), bytes.subarray(hole + 188 * 3)])
    const { units, gaps } = read(hurt)
    expect(gaps.length).toBeGreaterThan(0)
    expect(gaps[0]).toMatchObject({ cause: 'sequence' })
    expect(units.some(({ damaged }) => damaged)).toBe(true)
  })

  test('lost sound is a gap, from the last frame before it to the next', () => {
    const bytes = made(...h264)
    const soundPid = 0x101
    const places = Array.from({ length: bytes.length / 188 }, (_, n) => n * 188)
    const ofSound = places.filter((at) => (bytes.readUInt16BE(at + 1) & 0x1fff) === soundPid)
    const hole = ofSound[Math.floor(ofSound.length / 2)] ?? 0
    const { units, gaps } = read(Buffer.concat([bytes.subarray(0, hole), bytes.subarray(hole + 188)]))
    expect(gaps).toMatchObject([{ cause: 'sequence' }])
    const stamps = units.filter(({ track }) => track === 'audio').map(({ ptsMs }) => ptsMs)
    const next = stamps.indexOf(gaps[0]?.toMs ?? Number.NaN)
    expect(stamps[next - 1]).toBe(gaps[0]?.fromMs)
    expect(units.some(({ damaged }) => damaged)).toBe(false)
  })

  test('bytes in between, and a beginning in the middle: it is found again', () => {
    const bytes = made(...h264)
    const noise = Buffer.concat([
      bytes.subarray(100, 188 * 400),
      Buffer.alloc(500, 0x47),
      bytes.subarray(188 * 400),
    ])
    expect(read(noise).units.length).toBeGreaterThan(200)
  })

  test('bytes that were changed: units, gaps, or an AppError', () => {
    const bytes = made(...h264).subarray(0, 188 * 600)
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const copy = Buffer.from(bytes)
        for (const [at, value] of changes) copy[at] = value
        try {
          read(copy)
        } catch (error) {
          expect(error).toBeInstanceOf(AppError)
        }
      }),
      { numRuns: 60 },
    )
  })
})

test('what is no MPEG-TS is refused', () => {
  expect(() => read(new Uint8Array(600_000))).toThrow(/no packets are found/)
})

test('any bytes: nothing, or an AppError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (noise) => {
      const packets = Uint8Array.from(noise, (byte, at) => (at % 188 === 0 ? 0x47 : byte))
      read(packets)
    }),
  )
})
