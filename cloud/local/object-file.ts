import { randomUUID } from 'node:crypto'
import { link, mkdir, open, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../../shared/error.ts'
import type { PutOptions } from '../ports.ts'
import { BodyWriter } from './body-writer.ts'
import { codeOf, diskFull, isDiskFull } from './disk-error.ts'
import { isInside } from './object-path.ts'

/**
 * Writes a body to a new file and moves it to `path`, all or nothing: temporary file, size and SHA-256
 * checked, fsync, rename (or link, when the key must be free), fsync of the directory. A kill in between
 * leaves a file in `tmp/`, which the next start removes.
 */
export async function writeObjectFile(
  place: { root: string; temporary: string; path: string },
  body: Uint8Array | AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<{ sha256: string | undefined }> {
  const temporary = join(place.temporary, randomUUID())
  try {
    const sha256 = await writeChecked(temporary, body, options)
    await makeDirectory(place.root, dirname(place.path))
    if (options.ifAbsent) await linkNew(temporary, place.path)
    else await rename(temporary, place.path)
    await syncDirectory(dirname(place.path))
    return { sha256 }
  } catch (error) {
    throw toAppError(error)
  } finally {
    await rm(temporary, { force: true })
  }
}

async function writeChecked(
  path: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<string | undefined> {
  await using file = await open(path, 'wx', 0o600)
  await using writer = new BodyWriter(file, {
    unsummed: options.unsummed === true && options.sha256 === undefined,
  })
  let size = 0
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    size += chunk.length
    if (size > options.sizeBytes) break
    await writer.write(chunk)
  }
  if (size !== options.sizeBytes) {
    throw new AppError(
      'InvalidArgument',
      `The body does not have the ${options.sizeBytes} bytes that were announced.`,
    )
  }
  const sha256 = await writer.end()
  if (options.sha256 !== undefined && options.sha256 !== sha256) {
    throw new AppError(
      'InvalidArgument',
      'BadDigest: the SHA-256 of the body is not the one that was announced.',
    )
  }
  return sha256
}

async function linkNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw cause
    throw new AppError('AlreadyExists', 'There is an object with this key.', { cause })
  }
}

/** Makes the missing directories and syncs each one's parent; a link that leads out of the root is refused. */
async function makeDirectory(root: string, directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true })
  if (!isInside(root, await realpath(directory))) {
    throw new AppError('PermissionDenied', 'The key leads out of the archive.')
  }
  if (first === undefined) return
  for (let made = directory; made.length >= first.length; made = dirname(made))
    await syncDirectory(dirname(made))
}

export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return // No such call there.
  await using handle = await open(directory, 'r')
  await handle.sync()
}

function toAppError(cause: unknown): AppError {
  if (cause instanceof AppError) return cause
  if (isDiskFull(cause)) return diskFull(cause)
  return new AppError('Unavailable', 'The archive could not be written.', {
    cause,
    zh: '归档无法写入。',
  })
}
