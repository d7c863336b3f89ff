import { statfs } from 'node:fs/promises'
import { archiveLowBytes } from '../../shared/limits.ts'
import { findFfmpeg } from '../../shared/node/find-ffmpeg.ts'
import type { Machine } from '../api/route.ts'

/** How the machine of this data directory is: asked anew each time, as either may change while it runs. */
export async function lookAtMachine(dir: string): Promise<Machine> {
  const [{ bavail, blocks, bsize }, bin] = await Promise.all([statfs(dir), findFfmpeg()])
  const freeBytes = bavail * bsize
  const disk = { freeBytes, totalBytes: blocks * bsize, low: freeBytes < archiveLowBytes }
  return { disk, ffmpeg: bin !== undefined }
}
