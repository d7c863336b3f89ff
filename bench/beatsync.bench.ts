import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { align } from '../cloud/jobs/beatsync/align.ts'
import { openMediaFile, readSound } from '../cloud/jobs/beatsync/media-file.ts'
import { findFfmpeg } from '../shared/node/find-ffmpeg.ts'
import { alignCases } from '../test/support/beatsync-rig.ts'
import { Program } from '../test/support/program.ts'
import { broken, drifting, joined, noisy, part, silence, song, wav } from '../test/support/songs.ts'
import { numbers, spread, table } from './support/figures.ts'
import { gridOffsetMs, mfccOffset } from './support/plain-align.ts'
import { treeMemory } from './support/tree-memory.ts'

/**
 * BeatSync: how exact beside two plain ways (16 ms MFCC correlation, raw correlation on a grid of 100 ms), in one run
 * on the same samples; and how long and how much memory five minutes take through the whole program, then again from
 * the cache. `node bench/beatsync.bench.ts [--rounds 3]`
 */
const { rounds } = numbers({ rounds: 3 })
const bin = await findFfmpeg()
if (bin === undefined) throw new Error('needs FFmpeg')
const tool = { bin, signal: new AbortController().signal }

type Case = { name: string; dance: Float32Array; bgm: Float32Array; truthMs: number | null }

console.log(`${availableParallelism()} cores, Node ${process.version}, ${rounds} rounds\n`)
console.log(await accuracy())
console.log(`\n${await fiveMinutes()}`)

async function accuracy(): Promise<string> {
  const rows = (await cases()).map(({ name, dance, bgm, truthMs }) => {
    const ours = align(dance, bgm)
    const mfcc = mfccOffset(dance, bgm)
    const oursText =
      'refused' in ours ? ours.refused : `${off(ours.offsetMs, truthMs)} (score ${ours.score.toFixed(0)})`
    const mfccText = `${off(mfcc.offsetMs, truthMs)} (score ${mfcc.score.toFixed(1)})`
    return [
      name,
      truthMs === null ? 'none' : truthMs.toFixed(1),
      oursText,
      mfccText,
      off(gridOffsetMs(dance, bgm), truthMs),
    ]
  })
  return table(
    ['case', 'truth, ms', 'BeatSync: off by', 'MFCC, 16 ms: off by', 'raw, 100 ms grid: off by'],
    rows,
  )
}

function off(foundMs: number, truthMs: number | null): string {
  if (truthMs === null) return `says ${foundMs.toFixed(0)} ms`
  const error = foundMs - truthMs
  return Math.abs(error) < 1000 ? `${error.toFixed(2)} ms` : `**${(error / 1000).toFixed(1)} s**`
}

async function cases(): Promise<Case[]> {
  const recorded = await Promise.all(
    alignCases().map(async ({ name, dance, bgm, truth }) => ({
      name,
      dance: await readSound(await openMediaFile(dance), tool),
      bgm: await readSound(await openMediaFile(bgm), tool),
      truthMs: truth.offset_ms,
    })),
  )
  const real = recorded.find(({ name }) => name.startsWith('a2'))?.bgm ?? song(1, 60)
  const take = part(real, 10, 40)
  const late = (samples: Float32Array) => joined(silence(2.345), samples)
  const made = (name: string, dance: Float32Array): Case => ({
    name,
    dance,
    bgm: real,
    truthMs: 2345 - 10_000,
  })
  return [
    ...recorded,
    made('noise as loud', late(noisy(take, 0))),
    made('noise four times as loud', late(noisy(take, -12))),
    made('drop-outs, 0.8 s of each 2', late(broken(take, 2, 0.8))),
    { ...made('clock 200 ppm fast', late(drifting(take, 200))), truthMs: 2345 - 10_000 * (1 + 200e-6) },
  ]
}

async function fiveMinutes(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'edgereel-beatsync-bench-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const [dance, bgm] = await makeFiles(directory)
  const seconds: number[] = []
  const memory: number[] = []
  const cached: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    await using program = await Program.start()
    const idle = await treeMemory(program.pid)
    await using watch = watchMemory(program.pid)
    const ids = { dance: await upload(program, dance), bgm: await upload(program, bgm) }
    const startedMs = performance.now()
    const { id } = await submit(program, ids)
    const status = () => program.json<{ status: string; detail?: string }>(`/v1/tasks/${id}`)
    await program.until(
      async () => !['PENDING', 'PROCESSING'].includes((await status()).status),
      300_000,
      'done',
    )
    seconds.push((performance.now() - startedMs) / 1000)
    const after = await status()
    if (after.status !== 'SUCCESS') throw new Error(after.detail)
    memory.push((watch.most() - idle) / 1e6)
    const again = performance.now()
    if ((await submit(program, ids)).status !== 'SUCCESS') throw new Error('not from the cache')
    cached.push(performance.now() - again)
  }
  return table(
    ['five minutes of 720p, music of five minutes', 'median (least–most)', 'goal'],
    [
      ['submit to both results, s', spread(seconds), '< 20'],
      ['memory beyond the idle program, all its processes, MB', spread(memory), '< 600'],
      ['the same again, from the cache, ms', spread(cached), '< 200'],
    ],
  )
}

function watchMemory(pid: number): AsyncDisposable & { most(): number } {
  let most = 0
  let ended = false
  const running = (async () => {
    while (!ended) {
      most = Math.max(most, await treeMemory(pid))
      await new Promise((wake) => setTimeout(wake, 50))
    }
  })()
  return {
    most: () => most,
    async [Symbol.asyncDispose]() {
      ended = true
      await running
    },
  }
}

async function makeFiles(directory: string): Promise<[string, string]> {
  const music = song(1, 300)
  await writeFile(join(directory, 'bgm.wav'), wav(music))
  await writeFile(join(directory, 'room.wav'), wav(noisy(joined(silence(4), part(music, 0, 296)), 10)))
  const [dance, bgm] = [join(directory, 'dance.mp4'), join(directory, 'bgm.m4a')]
  const run = promisify(execFile)
  const picture = 'testsrc2=size=1280x720:rate=30:duration=300,noise=alls=8'
  const encode = [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-b:v',
    '2M',
    '-bf',
    '2',
    '-g',
    '60',
    '-pix_fmt',
    'yuv420p',
  ]
  const inputs = ['-f', 'lavfi', '-i', picture, '-i', join(directory, 'room.wav')]
  await run(bin ?? '', [
    '-v',
    'error',
    ...inputs,
    ...encode,
    '-ar',
    '48000',
    '-c:a',
    'aac',
    '-shortest',
    dance,
  ])
  await run(bin ?? '', ['-v', 'error', '-i', join(directory, 'bgm.wav'), '-ar', '44100', '-c:a', 'aac', bgm])
  return [dance, bgm]
}

async function upload(program: Program, path: string): Promise<string> {
  const bytes = await readFile(path)
  const name = path.split('/').at(-1) ?? ''
  const body = { name, sizeBytes: bytes.length, contentType: 'video/mp4' }
  type Target = { id: string; url: string; headers: Record<string, string> }
  const { id, url, headers } = await program.post<Target>('/v1/uploads', body)
  const answer = await fetch(`http://127.0.0.1:${program.port}${url}`, {
    method: 'PUT',
    headers,
    body: bytes,
  })
  if (!answer.ok) throw new Error(`PUT: ${answer.status} ${await answer.text()}`)
  return id
}

function submit(program: Program, ids: { dance: string; bgm: string }) {
  return program.post<{ id: string; status: string }>('/v1/tasks', { kind: 'beatsync', ...ids })
}
