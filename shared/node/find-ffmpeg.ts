import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'

const layerPath = '/opt/bin/ffmpeg' // Where a Lambda layer puts it.

/**
 * The FFmpeg to use, by the order of LIBRARIES.md: FFMPEG_BIN, Lambda layer, the optional package
 * ffmpeg-static, PATH. Undefined when there is none: MP4s are made without it, thumbnails are not.
 */
export async function findFfmpeg(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const name = process.platform === 'win32' ? 'ffmpeg.exe' : 'ffmpeg'
  const onPath = (env.PATH ?? '').split(delimiter).filter(isAbsolute)
  const candidates = [
    env.FFMPEG_BIN,
    layerPath,
    await staticFfmpeg(),
    ...onPath.map((directory) => join(directory, name)),
  ]
  for (const path of candidates) if (path && (await isExecutable(path))) return path
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

async function staticFfmpeg(): Promise<string | undefined> {
  const optional = 'ffmpeg-static' // A variable: the package need not be there for the types.
  try {
    const found: unknown = await import(optional)
    if (typeof found !== 'object' || found === null || !('default' in found)) return undefined
    return typeof found.default === 'string' ? found.default : undefined
  } catch {
    return undefined // Not installed, or its download had failed.
  }
}
