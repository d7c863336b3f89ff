/**
 * Raw segment files and their indexes → one progressive MP4, checks included, beside `cp` of the same bytes.
 *   node bench/mux.bench.ts [seconds…]        default 10 60 600, of 1080p30 at 4 Mb/s
 *   node bench/mux.bench.ts tables            memory of the tables of 8 hours of picture and sound
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { AudioConfig, VideoConfig } from '../shared/media/access-unit.ts'
import { encodeIndexHeader, parseIndex } from '../shared/media/index.ts'
import { encodeIndexRecord } from '../shared/media/index-record.ts'
import { appendIndex } from '../shared/media/mp4/from-index.ts'
import { planMovie } from '../shared/media/mp4/movie.ts'
import { toMovieBytes } from '../shared/media/mp4/reads.ts'
import { SampleTable } from '../shared/media/mp4/sample-table.ts'

const fps = 30
const bitsPerSecond = 4_000_000
const gop = 60

const video: VideoConfig = {
  track: 'video',
  codec: 'h264',
  parameterSets: [
    Buffer.from('6742c01ed900a0475b016a02020280000003008000001e478b1750', 'hex'),
    Buffer.from('68cb83cb20', 'hex'),
  ],
  width: 1920,
  height: 1080,
  codecString: 'avc1.42c01e',
  reorderDepth: 0,
  rotation: 0,
}
const audio: AudioConfig = {
  track: 'audio',
  codec: 'aac',
  specificConfig: Buffer.from('1190', 'hex'),
  sampleRate: 48000,
  channels: 2,
  frameSamples: 1024,
  codecString: 'mp4a.40.2',
}

/** Pictures of two slices; key frames are eight times the size of the others. */
function makePicture(key: boolean, seed: number): Buffer {
  const mean = bitsPerSecond / 8 / fps
  const size = Math.round(key ? (8 * mean * gop) / (gop + 7) : (mean * gop) / (gop + 7))
  const picture = Buffer.alloc(size, 0x5a)
  for (let i = 0; i < size; i += 7) picture[i] = ((i * 31 + seed) & 0x7f) | 1
  for (const at of [0, size >> 1]) picture.writeUInt32BE(1, at)
  return picture
}

async function makeRaw(path: string, seconds: number): Promise<Uint8Array> {
  await using file = await open(path, 'w')
  const index: Uint8Array[] = [
    encodeIndexHeader({
      version: 1,
      agent: 'bench',
      stream: 'bench',
      epoch: 1,
      seq: 1,
      openedWallMs: 0,
      wallOffsetMs: 0,
      wallBoundMs: 0,
      timeSource: 'device',
      continues: false,
    }),
  ]
  let offset = 0
  for (let i = 0; i < seconds * fps; i += 1) {
    const key = i % gop === 0
    const bytes = makePicture(key, i)
    await file.write(bytes)
    const ms = Math.round((i * 1000) / fps)
    const unit = {
      kind: 'unit',
      track: 'video',
      flags: key ? 3 : 0,
      sizeBytes: bytes.length,
      offset,
    } as const
    index.push(encodeIndexRecord({ ...unit, dtsMs: ms, ptsMs: ms, arrivalUs: 0, crc: crc32(bytes) }))
    offset += bytes.length
  }
  return Buffer.concat(index)
}

async function mux(
  source: FileHandle | Uint8Array,
  index: Uint8Array,
  out: FileHandle | undefined,
): Promise<number> {
  const samples = new SampleTable()
  appendIndex(samples, parseIndex(index).records, { track: 'video', source: 0, framing: 'annexb' })
  const plan = planMovie({ tracks: [{ config: video, samples }], fromMs: 0, createdWallMs: 0 })
  await out?.write(plan.header)
  const buffer = Buffer.allocUnsafe(8 * 2 ** 20)
  for (const read of plan.reads()) {
    const bytes =
      source instanceof Uint8Array
        ? source.subarray(read.offset, read.offset + read.sizeBytes)
        : buffer.subarray(0, read.sizeBytes)
    if (!(source instanceof Uint8Array)) await source.read(bytes, 0, read.sizeBytes, read.offset)
    const movieBytes = toMovieBytes(samples, read, bytes, { check: true })
    await out?.write(movieBytes)
  }
  return plan.totalBytes
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

async function median(runs: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < runs; i += 1) times.push(await timed(work))
  return times.sort((a, b) => a - b)[runs >> 1] ?? 0
}

async function benchMux(seconds: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'edgereel-mux-'))
  try {
    const raw = join(directory, 'raw.h264')
    const index = await makeRaw(raw, seconds)
    await using source = await open(raw)
    const size = (await source.stat()).size
    const cp = await median(5, async () => execFileSync('cp', [raw, join(directory, 'copy')]))
    const files = await median(5, async () => {
      await using out = await open(join(directory, 'out.mp4'), 'w')
      await mux(source, index, out)
    })
    const memory = Buffer.alloc(size)
    const kernel = await median(3, async () => {
      await source.read(memory, 0, size, 0) // The rewriting is in place: start codes are needed again.
      await mux(memory, index, undefined)
    })
    const ms = (value: number) => `${value.toFixed(0)} ms`
    console.log(
      `${seconds} s, ${(size / 1e6).toFixed(1)} MB: cp ${ms(cp)}, mux ${ms(files)} (${(files / cp).toFixed(2)} x cp), in memory with one read ${ms(kernel)}`,
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function benchTables(): Promise<void> {
  const hours = 8
  const before = process.memoryUsage().rss
  const pictures = new SampleTable().from(0, 'raw')
  for (let i = 0, offset = 0; i < hours * 3600 * fps; i += 1) {
    const ms = Math.round((i * 1000) / fps)
    pictures.push({
      dtsMs: ms,
      ptsMs: ms + (i % 3) * 33,
      sizeBytes: 16_000 + (i % 999),
      offset,
      sync: i % gop === 0,
    })
    offset += 16_000 + (i % 999)
  }
  const frames = new SampleTable().from(1, 'adts')
  for (let i = 0, offset = 0; i < (hours * 3600 * 48_000) / 1024; i += 1) {
    const ms = Math.round((i * 1024) / 48)
    frames.push({ dtsMs: ms, ptsMs: ms, sizeBytes: 300 + (i % 99), offset, sync: true })
    offset += 300 + (i % 99)
  }
  let peak = process.memoryUsage().rss
  const start = performance.now()
  const tracks = [
    { config: video, samples: pictures },
    { config: audio, samples: frames },
  ]
  const plan = planMovie({ tracks, fromMs: 0, createdWallMs: 0 })
  const planned = performance.now() - start
  let reads = 0
  for (const read of plan.reads()) reads += read.samples > 0 ? 1 : 0
  peak = Math.max(peak, process.memoryUsage().rss)
  console.log(
    `${hours} h, ${pictures.length + frames.length} samples: planned in ${planned.toFixed(0)} ms, head ${(plan.header.length / 1e6).toFixed(1)} MB of ${(plan.totalBytes / 1e9).toFixed(2)} GB, ${reads} reads, ${((peak - before) / 1e6).toFixed(0)} MB of memory (peak ${(process.resourceUsage().maxRSS / 1e3).toFixed(0)} MB for the process)`,
  )
}

const args = process.argv.slice(2)
if (args[0] === 'tables') await benchTables()
else for (const seconds of args.length > 0 ? args.map(Number) : [10, 60, 600]) await benchMux(seconds)
