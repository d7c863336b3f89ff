import { createHash } from 'node:crypto'
import type { SegmentToUpload } from '../../shared/contract/upload-api.ts'
import { AppError, kindOfStatus } from '../../shared/error.ts'
import type { Pace } from './bandwidth.ts'
import type { CloudClient, PutTarget } from './cloud-client.ts'
import type { Reply } from './exchange.ts'
import { StoreDenied } from './store-denial.ts'

/** The bytes of one file, from its beginning each time it is called: an attempt never goes on where another ended. */
export type OpenBody = () => AsyncIterable<Uint8Array>

export type PutOutcome =
  | 'stored'
  | 'taken' // 412: the key has a body already; `status` says whose.
  | 'expired' // 403: the URL is too old, or the clocks differ.
  | 'damaged' // The store refused the checksum, and the disk no longer holds what was sealed.

type File = SegmentToUpload['files'][number]

/** Reads in pieces; refuses a file that is shorter or longer than its manifest says. */
export async function* readPieces(
  read: (offset: number, length: number) => Promise<Uint8Array>,
  file: { sizeBytes: number },
  chunkBytes: number,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < file.sizeBytes; ) {
    const piece = await read(offset, Math.min(chunkBytes, file.sizeBytes - offset))
    if (piece.length === 0)
      throw new AppError('DataLoss', 'A file of the ring is shorter than its manifest says.')
    offset += piece.length
    yield piece
  }
}

export async function* paced(
  pieces: AsyncIterable<Uint8Array>,
  pace: Pace,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    await pace.take(piece.length, signal)
    yield piece
  }
}

/** One attempt. Throws when it may be worth another: no answer, 5xx, 429, or bytes that changed on the way. */
export async function putFile(options: {
  client: CloudClient
  target: PutTarget
  file: Pick<File, 'sizeBytes' | 'sha256'>
  body: OpenBody
  pace: Pace
  signal: AbortSignal
}): Promise<PutOutcome> {
  const { client, target, file, body, pace, signal } = options
  const reply = await client.put(target, () => paced(body(), pace, signal), signal)
  if (reply.status === 200 && !/^text\/html\b/i.test(reply.contentType)) return 'stored'
  if (reply.status === 412) return 'taken'
  if (reply.status === 403) return 'expired'
  const code = storeCode(reply)
  // Was it the line or the disk? The file is read once more, to compare it with what was sealed.
  if (reply.status === 400 && (await sha256Of(body())) !== file.sha256) return 'damaged'
  if (code === 'NoSuchBucket' || code.startsWith('KMS')) throw new StoreDenied(code, reply)
  throw putError(reply, code)
}

const checksumCodes = new Set([
  'BadDigest',
  'InvalidDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
])

function isChecksumCode(code: string): boolean {
  return checksumCodes.has(code)
}

function putError(reply: Reply, code: string): AppError {
  const words = code ? `${reply.status} ${code}` : String(reply.status)
  if (reply.status >= 200 && reply.status < 400) {
    return new AppError(
      'Unavailable',
      'Something between here and the store answers in its place (a login page?).',
      {
        cause: reply,
        zh: '网络中有其他设备代替存储应答（登录页面？）。',
      },
    )
  }
  // The bytes changed on the way, or the store gave up waiting for them: as good as a broken connection.
  const passing = isChecksumCode(code) || code === 'RequestTimeout' || reply.status === 409
  const kind = passing ? 'Unavailable' : kindOfStatus(reply.status)
  return new AppError(kind, `The store answered ${words}.`, { cause: reply, zh: `存储返回 ${words}。` })
}

/** `<Code>` of S3's XML, or `code` of our own store's JSON. */
function storeCode(reply: Reply): string {
  const text = Buffer.from(reply.body.subarray(0, 4096)).toString('latin1')
  return /<Code>([\w.]{1,64})<\/Code>/.exec(text)?.[1] ?? /"code":"(\w{1,64})"/.exec(text)?.[1] ?? ''
}

async function sha256Of(body: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of body) hash.update(piece)
  return hash.digest('hex')
}
