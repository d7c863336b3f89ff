import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { readElf } from './elf.ts'

export type Arch = 'arm64' | 'x86_64'

const bytesMax = 180 * 1024 * 1024 // A function and its layers unpack to 250 MB at most; the largest bundle has 8.

/** What `deploy` says when there is no FFmpeg, and `synth` warns of. */
export const missingFfmpeg = (arch: Arch) =>
  `There is no FFmpeg for the functions: put a static Linux ${arch} binary at layers/ffmpeg/${arch}/ffmpeg, or name one with -c ffmpeg=PATH (docs/operations.md, Deployment to AWS).`

/** The setting, then `layers/ffmpeg/<arch>/ffmpeg`, then the package ffmpeg-static if it is of that architecture. */
export function findFfmpeg({
  ffmpeg,
  arch,
}: {
  ffmpeg?: string | undefined
  arch: Arch
}): string | undefined {
  if (ffmpeg !== undefined) return resolve(ffmpeg)
  const own = resolve('layers/ffmpeg', arch, 'ffmpeg')
  if (existsSync(own)) return own
  const packaged = staticFfmpeg()
  return packaged !== undefined && readElf(readFileSync(packaged))?.arch === arch ? packaged : undefined
}

function staticFfmpeg(): string | undefined {
  try {
    const path: unknown = createRequire(import.meta.url)('ffmpeg-static')
    return typeof path === 'string' && existsSync(path) ? path : undefined
  } catch {
    return undefined // Not installed, or its download had failed.
  }
}

/** Throws a sentence when the file is there but would not run in Lambda. */
export function checkFfmpeg(path: string, arch: Arch): Buffer {
  if (!existsSync(path)) throw new Error(`There is no file ${path}: name another FFmpeg with -c ffmpeg=PATH.`)
  const bytes = readFileSync(path)
  const elf = readElf(bytes)
  if (!elf) throw new Error(`${path} is not a Linux program: take a static Linux ${arch} build of FFmpeg.`)
  if (elf.arch !== arch)
    throw new Error(`${path} is for ${elf.arch}, the functions are ${arch}: take the ${arch} build.`)
  if (elf.isDynamic)
    throw new Error(`${path} needs shared libraries, which Lambda does not have: take a static build.`)
  if (bytes.length > bytesMax)
    throw new Error(`${path} has ${bytes.length} bytes, at most ${bytesMax} fit a function.`)
  return bytes
}
