import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createRemux } from '../../agent/ingest/remux.ts'
import { createToJpeg } from '../../agent/record/jpeg.ts'
import { makeThumbnail } from '../../cloud/jobs/thumbnail.ts'
import { findSegment } from '../../cloud/rows/segment.ts'
import { openJobsRig } from '../support/jobs-rig.ts'
import { clipUnits } from '../support/live-units.ts'
import { putSegment, sealSegment, unitOf } from '../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../support/synthetic.ts'

// RELIABILITY.md G4: an FFmpeg that crashes, or cuts off what it gives, costs the still or the thumbnail and nothing
// else, and it is said. Sound for browsers: test/unit/agent/play/audio-aac.test.ts, "a child that is killed".

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ffmpeg-crash-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** In FFmpeg's place. */
async function fake(script: string): Promise<string> {
  const path = join(dir, 'ffmpeg')
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  return path
}

const crash = 'cat >/dev/null; printf "\\377\\330\\377"; kill -SEGV $$'
const cutOff = 'cat >/dev/null; printf "\\377\\330\\377"'

describe.each([
  ['crashes', crash, 'Internal', /FFmpeg crashed/],
  ['gives half a picture', cutOff, 'DataLoss', /cannot be decoded/],
] as const)('an FFmpeg that %s', (_name, script, kind, words) => {
  test('a still is refused in words', async () => {
    const bin = await fake(script)
    const [unit] = clipUnits()
    if (unit?.config.track !== 'video') throw new Error('the clip begins with a picture')
    const still = createToJpeg(async () => bin)({ config: unit.config, nalUnits: unit.nalUnits, takenAt: 0 })
    await expect(still).rejects.toMatchObject({ kind, message: expect.stringMatching(words) })
  })

  test('the MP4 is made, the thumbnail has failed and waits among the dead letters', async () => {
    const bin = await fake(script)
    await using rig = await openJobsRig({
      thumbnail: (body, ports, signal) => makeThumbnail(JSON.parse(body), ports, signal, async () => bin),
    })
    const epoch = 1_700_000_000_000
    const units = Array.from({ length: 10 }, (_, n) => unitOf(syntheticPicture(n)))
    const sealed = sealSegment({ agent: 'lab', stream: 'cam', epoch, seq: 1, units, video: syntheticVideo })
    await putSegment(rig.ports.store, sealed)
    for (let attempt = 0; attempt < 12; attempt += 1) {
      await rig.drain({ queues: ['mux', 'thumbnail'] })
      rig.clock.advance(120_000)
    }
    const row = await findSegment(rig.ports.catalogue, sealed.manifest)
    expect(row).toMatchObject({ status: 'SUCCESS' })
    expect(row?.thumbnail).toBeUndefined()
    expect(row?.thumbnailNote).toMatch(/no thumbnail/i)
    expect(await rig.ports.queue.depth('thumbnail')).toMatchObject({ waiting: 0, inFlight: 0, dead: 1 })
  })
})

test('a source that FFmpeg reads: the crash is said, and it is no fault of the source', async () => {
  const bin = await fake('head -c 100 >/dev/null; kill -SEGV $$')
  const remux = createRemux(async () => bin)
  const bytes = (async function* () {
    yield new Uint8Array(1000)
  })()
  const read = async () => {
    for await (const _ of remux(bytes, new AbortController().signal));
  }
  await expect(read()).rejects.toMatchObject({ kind: 'Unavailable', message: /crashed/, terminal: false })
})
