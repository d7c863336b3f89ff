import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ArchiveRig, type Expected, expectTrue, gapsWithin } from '../support/archive-rig.ts'
import { repository } from '../support/modules.ts'
import { decodePictures } from '../support/movie-judges.ts'
import { hasProgram, sharedPath } from '../support/shared-data.ts'
import { decodingComplaints } from '../support/takes.ts'

// The files and captures of ../shared/data through the whole program, as a user pushes them.

const run = promisify(execFile)
const data = sharedPath('data', 'flv')
const ready = data !== undefined && hasProgram('ffprobe')
if (!ready) console.log('skipped: the recordings beside the repository and FFmpeg are needed')

describe.skipIf(!ready)('FLV files by sim rtmp, recorded', () => {
  let rig: ArchiveRig
  beforeAll(async () => {
    rig = await ArchiveRig.open()
  })
  afterAll(() => rig?.[Symbol.asyncDispose]())

  const sim = (url: string, file: string) =>
    run(process.execPath, [
      join(repository, 'agent/cli.ts'),
      'sim',
      'rtmp',
      '--url',
      url,
      '--file',
      file,
      '--once',
    ])

  test.each([
    ['ff81_avc_aac.flv', ['video', 'audio']],
    ['srs__bbb.flv', ['video', 'audio']],
    ['xgplayer__avc_aac.flv', ['video', 'audio']],
    ['ant__test_short.flv', ['video', 'audio']],
    ['test__sample.flv', ['video', 'audio']],
    ['media__sample.flv', ['video', 'audio']],
    ...(process.env.EDGEREEL_JUDGES ? [['ff81_hevc_aac.flv', ['video', 'audio']]] : []), // It lasts a minute.
    ['xgplayer__h264_pcma_channel1_8000.flv', ['video', 'converted']],
  ] as [string, Expected][])(
    '%s',
    async (file, tracks) => {
      const stream = file.replaceAll(/[^A-Za-z0-9]+/g, '-').slice(0, 40)
      const connection = rig.proxy.sent.length
      const path = `${data}/${file}`
      const pushing = sim(await rig.url(stream), path)
      await rig.isLive(stream)
      await Promise.race([sleep(2000), pushing])
      const id = await rig.record(stream)
      await pushing
      await rig.stop(id)
      const { detail, movie } = await rig.take(id, stream)
      expect(detail.streams.flatMap(gapsWithin)).toEqual([])
      expect(detail.streams[0]?.export.files).toHaveLength(1)
      expectTrue(movie, rig.proxy.sent[connection] ?? [], tracks)
      if ((await decodingComplaints(path)) === '') expect(decodePictures(movie).complaints).toBe('')
    },
    120_000,
  )

  test.each([
    ['that ends inside of a tag', (whole: Buffer) => whole.subarray(0, 20_000), /it ends inside of a/],
    [
      'with noise in its middle',
      (whole: Buffer) => Buffer.from(whole).fill(0xee, 30_000, 30_400),
      /publishing/,
    ],
    ['of noise', () => Buffer.alloc(5000, 0xee), /does not begin with FLV/],
    ['of nothing', () => Buffer.alloc(0), /neither pictures nor sound/],
  ])('a file %s: what is whole is sent, and the rest has a reason', async (name, spoil, words) => {
    const file = join(rig.directory, 'broken.flv')
    await writeFile(file, spoil(await readFile(`${data}/ff81_avc_aac.flv`)))
    const stream = `broken-${name.replaceAll(' ', '-')}`
    const { stderr } = await sim(await rig.url(stream), file).catch((error: { stderr: string }) => error)
    expect(stderr).toMatch(words)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(rig.program.running).toBe(true)
    expect((await rig.program.fetch('/healthz')).status).toBe(200)
  })

  const captures = ['ffmpeg51_avc_aac', 'gst122_rtmp2sink'] as const
  const replay = sharedPath('tools', 'rtmp_replay.py')
  test.skipIf(!replay || !hasProgram('python3')).each(captures)(
    'the capture of %s brings no token: it is refused, counted, and nothing else happens',
    async (name) => {
      const before = await refused(rig)
      const bytes = sharedPath('data/rtmp', `${name}.conn0.client.bin`) ?? ''
      const port = new URL(rig.server.replace('rtmp', 'http')).port
      const { stdout } = await run('python3', [replay ?? '', bytes, '127.0.0.1', port, '2']).catch(
        (error: { stdout: string }) => error,
      )
      expect(stdout).toMatch(/server closed/)
      expect(await refused(rig)).toBe(before + 1)
    },
  )
})

async function refused(rig: ArchiveRig): Promise<number> {
  const metrics = await (await rig.program.fetch('/metrics')).text()
  const counts = [...metrics.matchAll(/^edgereel_door_refused_total\{.*rtmp.*\} (\d+)$/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}
