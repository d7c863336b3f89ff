import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const deadlineMs = 40_000
const killMs = 5000

export type PlayedByVlc = {
  /** SHA-1 of each picture that was shown, as I420, in the order shown; one that stood longer is there again. */
  pictures: string[]
  soundBytes: number
  /** What its decoders and demuxers said. */
  complaints: string[]
}

/**
 * VLC plays until it has shown so many pictures. They are decoded, shown and written to a file as a person would see
 * them, late ones too: on a busy machine it only takes longer. Its own recording (`--sout`, TS) is no judge: its muxer
 * throws the first pictures away when the sound's packetizer is slower than theirs ("packet with too strange dts").
 */
export async function playByVlc(url: string, count: number): Promise<PlayedByVlc> {
  const home = await mkdtemp(join(tmpdir(), 'edgereel-vlc-'))
  await chmod(home, 0o777)
  const [pictures, sound] = [join(home, 'pictures.yuv'), join(home, 'sound.wav')]
  const picturesOnly = ['--no-osd', '--no-spu', '--no-video-title-show', '--avcodec-hw=none']
  const all = ['--no-drop-late-frames', '--no-skip-frames']
  const shown = ['--vout=yuv', '--yuv-chroma=I420', `--yuv-file=${pictures}`]
  const heard = ['--aout=afile', `--audiofile-file=${sound}`]
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {} // It refuses to run as root.
  const child = spawn('cvlc', ['-v', '0', ...picturesOnly, ...all, ...shown, ...heard, url], {
    ...nobody,
    env: { ...process.env, HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  let said = ''
  for (const pipe of [child.stdout, child.stderr]) {
    pipe.on('data', (bytes) => {
      said += bytes
    })
  }
  const signal = AbortSignal.timeout(deadlineMs)
  while (!signal.aborted && (await shownIn(pictures)).length < count) await sleep(200)
  // FFmpeg's libraries in it; what it says of missing displays and of its own clock is not about us.
  const complaints = said.split('\n').filter((line) => / @ 0x[\da-f]+\]/.test(line))
  child.kill('SIGTERM') // Its decoders complain that no memory is left for pictures.
  const timer = setTimeout(() => child.kill('SIGKILL'), killMs)
  await exited
  clearTimeout(timer)
  const soundBytes = (await stat(sound).catch(() => ({ size: 0 }))).size
  const list = await shownIn(pictures)
  await rm(home, { recursive: true })
  return { pictures: list, soundBytes, complaints }
}

/** `I420 W320 H240 …\n`, then for each picture `FRAME\n` and its planes. */
async function shownIn(file: string): Promise<string[]> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0))
  const head = bytes.indexOf('\n') + 1
  const [, width = 0, height = 0] = /W(\d+) H(\d+)/.exec(bytes.toString('latin1', 0, head)) ?? []
  const size = (Number(width) * Number(height) * 3) / 2
  const list: string[] = []
  if (size === 0) return list
  for (let at = head + 6; at + size <= bytes.length; at += size + 6)
    list.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + size))
        .digest('hex'),
    )
  return list
}

/** The same of a file, as FFmpeg decodes it. */
export async function picturesOf(file: string): Promise<string[]> {
  const out = ['-map', '0:v', '-pix_fmt', 'yuv420p', '-f', 'framehash', '-hash', 'sha160', '-']
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', file, ...out])
  return [...stdout.matchAll(/^0,.*, *([\da-f]{40})$/gm)].map(([, hash = '']) => hash)
}
