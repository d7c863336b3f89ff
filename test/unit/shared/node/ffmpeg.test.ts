import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runFfmpeg } from '../../../../shared/node/ffmpeg.ts'
import { findFfmpeg } from '../../../../shared/node/find-ffmpeg.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgereel-ffmpeg-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A shell script in FFmpeg's place. */
async function fake(script: string): Promise<string> {
  const path = join(dir, 'ffmpeg')
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  return path
}

const limits = { timeoutMs: 10_000, maxOutputBytes: 1000, signal: new AbortController().signal }

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function gone(pid: number): Promise<boolean> {
  for (let n = 0; n < 100 && isAlive(pid); n += 1) await delay(50)
  return !isAlive(pid)
}

test('gives input and arguments as they are, no shell between, and nothing of our environment', async () => {
  const bin = await fake('cat; for a in "$@"; do echo "[$a]"; done; env')
  const out = await runFfmpeg({
    ...limits,
    maxOutputBytes: 10_000,
    bin,
    args: ['$(id)', 'a b', '-x'],
    input: Buffer.from('in'),
  })
  expect(out.toString()).toContain('in[-nostdin]')
  expect(out.toString()).toContain('[file,pipe]')
  expect(out.toString()).toContain('[$(id)]\n[a b]\n[-x]')
  expect(out.toString()).not.toContain('HOME=')
})

test('refuses with the end of stderr, however much of it there is', async () => {
  const bin = await fake('yes complaint | head -c 5000000 >&2; echo the last words >&2; exit 1')
  const failure = await runFfmpeg({ ...limits, bin, args: [] }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ kind: 'InvalidArgument' })
  const { cause } = failure as { cause: string }
  expect(cause.length).toBeLessThanOrEqual(65_536)
  expect(cause.endsWith('the last words\n')).toBe(true)
})

test('a child that hangs is killed with its children', async () => {
  const bin = await fake(`sleep 100 & echo $! > ${dir}/child; kill -STOP $$; sleep 100`)
  await expect(runFfmpeg({ ...limits, bin, args: [], timeoutMs: 500 })).rejects.toMatchObject({
    kind: 'DeadlineExceeded',
  })
  const child = Number(await readFile(join(dir, 'child'), 'utf8'))
  expect(await gone(child)).toBe(true)
})

test('too little memory is no fault of the input', async () => {
  const bin = await fake('echo "Error while opening decoder: Cannot allocate memory" >&2; exit 1')
  await expect(runFfmpeg({ ...limits, bin, args: [] })).rejects.toMatchObject({ kind: 'ResourceExhausted' })
})

test.each(['SEGV', 'KILL'])(
  'G4: a crash (SIG%s) is no fault of the input, and worth another try',
  async (name) => {
    const bin = await fake(`echo half; kill -${name} $$`)
    const failure = await runFfmpeg({ ...limits, bin, args: [] }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ kind: 'Internal', terminal: false, message: /FFmpeg crashed/ })
  },
)

test('too much output ends it', async () => {
  const bin = await fake('cat /dev/zero')
  await expect(runFfmpeg({ ...limits, bin, args: [] })).rejects.toMatchObject({ kind: 'ResourceExhausted' })
})

test('an abort ends it with the reason of the abort', async () => {
  const stop = new AbortController()
  const bin = await fake('sleep 100')
  const run = runFfmpeg({ ...limits, bin, args: [], signal: stop.signal })
  setTimeout(() => stop.abort(new Error('enough')), 100)
  await expect(run).rejects.toThrow('enough')
})

test('a child that does not read its input does no harm', async () => {
  const bin = await fake('echo done')
  const out = await runFfmpeg({ ...limits, bin, args: [], input: Buffer.alloc(10_000_000) })
  expect(out.toString()).toBe('done\n')
})

test('one that is not there cannot be started', async () => {
  await expect(runFfmpeg({ ...limits, bin: join(dir, 'none'), args: [] })).rejects.toThrow()
})

test('FFMPEG_BIN goes before PATH; what cannot be executed is passed over', async () => {
  const bin = await fake('exit 0')
  const path = { PATH: `relative:${dir}` }
  expect(await findFfmpeg({ ...path, FFMPEG_BIN: bin })).toBe(bin)
  expect(await findFfmpeg({ ...path, FFMPEG_BIN: join(dir, 'none') })).toBe(bin)
  await chmod(bin, 0o644)
  expect(await findFfmpeg(path)).toBeUndefined()
})
