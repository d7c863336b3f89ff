import type { Clock } from '../../shared/node/clock.ts'
import type { CameraGuard } from './camera-guard.ts'
import { createFileSource } from './file-source.ts'
import { createHttpSource } from './http-source.ts'
import type { SourceMaker } from './open-source.ts'
import { createRemux } from './remux.ts'

export type ByteSourceParts = {
  guard: CameraGuard
  clock: Clock
  /** `cameras.files` of the configuration. */
  files: string | null
  findFfmpeg: () => Promise<string | undefined>
}

/** `http://`, `https://` and `file://`. */
export function byteSourceMakers({ guard, clock, files, findFfmpeg }: ByteSourceParts): SourceMaker[] {
  const remux = createRemux(findFfmpeg)
  return [
    (uri) => (uri.httpUrl === undefined ? undefined : createHttpSource({ uri, guard, clock, remux })),
    (uri) => (uri.kind === 'file' ? createFileSource({ uri, root: files, clock, remux }) : undefined),
  ]
}
