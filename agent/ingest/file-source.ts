import { createReadStream } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { relative, sep } from 'node:path'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { CameraUri } from '../protocol/camera-uri.ts'
import { sniff, sniffBytes } from './byte-source.ts'
import { counter } from './flv-units.ts'
import { playBytes } from './play-bytes.ts'
import type { Remux } from './remux.ts'
import type { PulledSource } from './source.ts'

export type FileSourceOptions = {
  uri: CameraUri
  /** Files below it may be played, no others; from `cameras.files`. */
  root: string | null
  clock: Clock
  remux: Remux
}

/** `file:///…`: a recording in place of a camera, for tests and demonstrations. Over at its end. */
export function createFileSource({ uri, root, clock, remux }: FileSourceOptions): PulledSource {
  const nextEpoch = counter()
  return {
    kind: 'file',
    display: uri.display,
    connectOnce: async ({ signal, output }) => {
      const path = await allowedPath(uri.path ?? '', root)
      const format = sniff(await readHead(path))
      const stream = createReadStream(path, { signal })
      const play = { hasEnd: true, clock, output, nextEpoch, signal }
      try {
        if (format !== 'other') await playBytes({ ...play, bytes: stream, remux })
        else await playBytes({ ...play, bytes: remux({ path }, signal), remux })
      } finally {
        stream.destroy()
      }
    },
  }
}

/** The real path, so that no link leads out. PermissionDenied outside of the root, NotFound for no file. */
async function allowedPath(path: string, root: string | null): Promise<string> {
  if (root === null) {
    throw new AppError('PermissionDenied', 'files are no source here: set cameras.files to their directory', {
      zh: '未启用本地文件源：请在配置 cameras.files 中设置目录。',
    })
  }
  const real = await realpath(path).catch((cause) => {
    throw new AppError('NotFound', 'there is no such file', { cause, zh: '文件不存在。' })
  })
  const inside = relative(await realpath(root), real)
  if (inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`)) return real
  throw new AppError('PermissionDenied', 'this file is outside of cameras.files', {
    zh: '该文件不在 cameras.files 目录中。',
  })
}

async function readHead(path: string): Promise<Uint8Array> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(sniffBytes))
  return buffer.subarray(0, bytesRead)
}
