/**
 * Memory of the local cloud's process while it makes the MP4s and timestamps of a recording of eight hours: 480
 * segments, 864,000 pictures. The pictures are small, since no table grows with their bytes.
 *   node bench/long-export.bench.ts [--hours 8]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeArgs } from '../agent/cli/up.ts'
import { openLocalCloud } from '../cloud/local/local-cloud.ts'
import { getRecording } from '../cloud/rows/recording.ts'
import { systemClock } from '../shared/node/clock.ts'
import { repository } from '../test/support/modules.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  unitOf,
} from '../test/support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../test/support/synthetic.ts'
import { numbers, short } from './support/figures.ts'
import { figuresOf } from './support/server-process.ts'

const { hours } = numbers({ hours: 8 })
const fps = 30
const segmentS = 60
const id = 'long'

type Cloud = Awaited<ReturnType<typeof openLocalCloud>>

/** As an agent would have uploaded it; spacings of 33, 33 and 34 ms. */
async function upload(cloud: Cloud): Promise<number> {
  const startMs = 1_772_366_400_000
  const perSegment = segmentS * fps
  const sealed = []
  for (let seq = 0; seq < (hours * 3600) / segmentS; seq += 1) {
    const units = Array.from({ length: perSegment }, (_, i) => {
      const n = seq * perSegment + i
      const ms = Math.round((n * 1000) / fps)
      const picture = syntheticPicture(n, { stream: id, gop: 60, bytes: 60 })
      return unitOf({ ...picture, dtsMs: startMs + ms, ptsMs: startMs + ms })
    })
    const segment = { agent: 'lab', stream: id, epoch: startMs, seq: seq + 1, units, video: syntheticVideo }
    const { manifest, files } = sealSegment(segment)
    await putSegment(cloud.store, { manifest, files })
    sealed.push({ manifest, files: [] })
  }
  await putRecording(cloud.store, recordingOf(id, sealed))
  return sealed.length
}

const directory = await mkdtemp(join(tmpdir(), 'edgereel-export-'))
try {
  await using cloud = await openLocalCloud({ dir: directory, clock: systemClock })
  const segments = await upload(cloud)
  console.error(`${segments} segments lie in the store`)

  const startMs = performance.now()
  const child = spawn(
    process.execPath,
    [...nodeArgs.cloud, join(repository, 'cloud/local/main.ts'), '--data', directory],
    {
      stdio: 'ignore',
    },
  )
  let [peakRssMb, muxedPeakMb] = [0, 0]
  for (;;) {
    await sleep(500)
    peakRssMb = (await figuresOf(child.pid ?? 0)).peakRssMb
    const row = await getRecording(cloud.catalogue, id)
    if (!row?.meta.export) muxedPeakMb = peakRssMb
    const files = row?.meta.files
    if (!files || files.length === 0) continue
    const pictures = files.reduce((sum, file) => sum + file.units, 0)
    const seconds = (performance.now() - startMs) / 1000
    console.log(
      `${hours} h, ${segments} segments, ${pictures} pictures in ${files.length} files: peak RSS of the cloud's process ${short(peakRssMb)} MB (${short(muxedPeakMb)} MB before the export began), ${short(seconds)} s for all segments and the export`,
    )
    break
  }
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
} finally {
  await rm(directory, { recursive: true, force: true })
}
process.exit()
