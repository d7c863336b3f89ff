import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '../../shared/error.ts'
import { failure } from './words.ts'

/**
 * Makes the directory of a file where it is not there. Only that one: what lies above it must be there, since a path
 * that was mistyped is better refused than made (and Node's own `recursive` never ends below /proc).
 */
export async function makeParent(path: string): Promise<void> {
  const directory = dirname(path)
  try {
    await mkdir(directory)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    const why = AppError.from(cause).message
    throw failure(
      'FailedPrecondition',
      {
        en: `the directory ${directory} cannot be made: ${why}`,
        zh: `无法创建目录 ${directory}：${why}`,
      },
      { cause },
    )
  }
}
