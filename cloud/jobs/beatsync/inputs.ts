import { createHash } from 'node:crypto'
import { open, statfs } from 'node:fs/promises'
import { uploadBytesMax } from '../../../shared/cloud-limits.ts'
import { AppError } from '../../../shared/error.ts'
import type { ObjectStore } from '../../ports.ts'
import { JobError } from '../reason.ts'

/** What a task says of a file that a person has uploaded. */
export type Input = {
  upload: string
  key: string
  name: string
  sizeBytes: number
  sha256?: string | undefined
}

/** Copies an upload to a file and returns its SHA-256. It must be what was announced. */
export async function fetchInput(
  store: ObjectStore,
  input: Input,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  await checkSize(store, input)
  const hash = createHash('sha256')
  await using file = await open(path, 'wx', 0o600)
  for await (const chunk of await store.get(input.key)) {
    signal.throwIfAborted()
    hash.update(chunk)
    await file.appendFile(chunk).catch(rethrowFull)
  }
  const sha256 = hash.digest('hex')
  if (input.sha256 === undefined || input.sha256 === sha256) return sha256
  throw new JobError('DataLoss', 'INVALID_FORMAT', `${input.name} is not the file that was announced.`, {
    zh: `${input.name} 与声明的文件不一致。`,
  })
}

async function checkSize(store: ObjectStore, { key, name, sizeBytes }: Input): Promise<void> {
  const head = await store.head(key, { sizeOnly: true })
  if (!head) {
    throw new JobError(
      'NotFound',
      'FILE_NOT_FOUND',
      `${name} is not there: it was not uploaded, or its 24 hours are over.`,
      {
        zh: `${name} 不存在：尚未上传或已超过 24 小时。`,
      },
    )
  }
  if (head.sizeBytes > uploadBytesMax) {
    throw new JobError(
      'InvalidArgument',
      'FILE_TOO_LARGE',
      `${name} is larger than ${uploadBytesMax / 1024 ** 2} MB.`,
      {
        zh: `${name} 超过 ${uploadBytesMax / 1024 ** 2} MB。`,
      },
    )
  }
  if (head.sizeBytes === sizeBytes) return
  throw new JobError('DataLoss', 'INVALID_FORMAT', `${name} has not the size that was announced.`, {
    zh: `${name} 的大小与声明不一致。`,
  })
}

/** Both inputs and a result for each variant have to fit. */
export async function checkDisk(
  directory: string,
  inputs: readonly Input[],
  { results, spareBytes }: { results: number; spareBytes: number },
): Promise<void> {
  const inputBytes = inputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const { bavail, bsize } = await statfs(directory)
  if (bavail * bsize < inputBytes * (1 + results) + spareBytes) throw noDisk()
}

function rethrowFull(cause: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  throw code === 'ENOSPC' || code === 'EDQUOT' ? noDisk(cause) : AppError.from(cause)
}

function noDisk(cause?: unknown): AppError {
  return new JobError('ResourceExhausted', 'RESOURCE_LIMIT', 'There is not enough disk for the work.', {
    cause,
    zh: '磁盘空间不足，无法处理。',
  })
}
