import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ArchiveRig, expectCut, expectTrue, gapsWithin } from '../support/archive-rig.ts'
import { decodePictures, decodeSound } from '../support/movie-judges.ts'
import { Obs } from '../support/obs.ts'
import { hasProgram } from '../support/shared-data.ts'

// OBS Studio, B-frames and AAC, streams to the whole program (docs/judges.md).

const programs = ['obs', 'Xvfb', 'ffmpeg', 'ffprobe']
const missing = programs.filter((name) => !hasProgram(name))
const asked = process.env.EDGEREEL_JUDGES !== undefined
if (!asked) console.log('skipped: set EDGEREEL_JUDGES=1 for OBS and its judges')
else if (missing.length > 0) console.log(`skipped: ${missing.join(', ')} not installed`)
const run = promisify(execFile)

async function clip(directory: string): Promise<string> {
  const file = join(directory, 'clip.mp4')
  const inputs = [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=s=640x360:r=30',
    '-f',
    'lavfi',
    '-i',
    'sine=f=440:r=48000:b=4',
  ]
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac']
  await run('ffmpeg', ['-v', 'error', ...inputs, '-t', '10', ...codecs, file])
  return file
}

test.skipIf(!asked || missing.length > 0).each([
  ['for a minute', 60, false],
  ['and is cut off, and comes back by itself', 15, true],
])(
  'OBS streams %s: every picture and frame of sound is in the archive at its time',
  async (_name, seconds, cut) => {
    await using rig = await ArchiveRig.open()
    const file = await clip(rig.directory)
    await using obs = await Obs.start({ server: rig.server, key: await rig.key('obs'), file })
    await rig.isLive('obs', 60_000)
    await sleep(4000)
    const id = await rig.record('obs')
    if (cut) {
      rig.proxy.cut()
      await sleep(1500)
      rig.proxy.restore()
      await rig.isLive('obs', 60_000)
    }
    await sleep(seconds * 1000)
    await obs[Symbol.asyncDispose]()
    await rig.isWaiting('obs')
    await rig.stop(id)
    expect(obs.output).not.toMatch(/Error|dropped/)
    if (cut) return await expectCut(rig, { id, stream: 'obs', firstConnection: 0 })
    const { detail, movie } = await rig.take(id, 'obs')
    expectTrue(movie, rig.proxy.sent[0] ?? [], ['video', 'audio'])
    expect(detail.streams.flatMap(gapsWithin)).toEqual([])
    expect(decodePictures(movie).complaints).toBe('')
    expect(decodeSound(movie)).toBe('')
  },
  240_000,
)
