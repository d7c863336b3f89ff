import { createHash } from 'node:crypto'
import type { CameraTrack } from './camera-track.ts'

const nameCharsMax = 64 // shared/contract/segment.ts, `name`.

/**
 * `cam-<host>-<channel>-<track>`, a valid name of a stream. `channel` may be a path: what a name cannot hold is
 * replaced, and then a few characters of its hash keep two paths apart.
 */
export function cameraName(host: string, channel: string, track: CameraTrack): string {
  const path = channel.replace(/^\/+|\/+$/g, '')
  const wanted = `cam-${host}-${path || '1'}-${track}`
  const plain = wanted.replace(/[/:]/g, '.').replace(/[^A-Za-z0-9._-]+/g, '-')
  const isSame = plain === wanted.replace(/[/:]/g, '.') && plain.length <= nameCharsMax
  if (isSame) return plain
  const hash = createHash('sha256').update(wanted).digest('hex').slice(0, 6)
  const tail = `-${hash}-${track}`
  return plain.slice(0, nameCharsMax - tail.length).replace(/[.-]+$/, '') + tail
}
