import { createHash } from 'node:crypto'
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { multipartBytes } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { checkKey } from '../object-key.ts'
import type { ByteRange, ObjectHead, ObjectStore, PutOptions } from '../ports.ts'
import { attemptsOf, awsError } from './aws-error.ts'
import { KnownSums } from './known-sums.ts'
import { partsOf } from './s3-parts.ts'
import { presignGet, presignPut } from './s3-presign.ts'
import { presignPost } from './s3-presign-post.ts'
import { readObject } from './s3-read.ts'
import { uploadParts } from './s3-upload.ts'
import { storageClassOf } from './storage-class.ts'

/** The object store on one bucket. Nothing is ever written to a disk here. */
export class S3Store implements ObjectStore {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #sums = new KnownSums()

  constructor(client: S3Client, bucket: string, clock: Pick<Clock, 'nowMs'>) {
    this.#client = client
    this.#bucket = bucket
    this.#clock = clock
  }

  async put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    checkKey(key)
    const parts = partsOf(body, options)
    if (options.sizeBytes > multipartBytes) {
      const { etag, sha256 } = await uploadParts(
        { client: this.#client, bucket: this.#bucket, key },
        parts,
        options,
      )
      if (sha256 !== undefined) this.#sums.remember(key, etag, sha256)
      return
    }
    for await (const bytes of parts) await this.#putWhole(key, bytes, options)
  }

  async get(key: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>> {
    return await readObject({ client: this.#client, bucket: this.#bucket, key: checkKey(key) }, range)
  }

  async head(key: string, { sizeOnly = false } = {}): Promise<ObjectHead | undefined> {
    const command = new HeadObjectCommand({
      Bucket: this.#bucket,
      Key: checkKey(key),
      ...(!sizeOnly && { ChecksumMode: 'ENABLED' }),
    })
    try {
      const answer = await this.#client.send(command)
      const { ContentLength: sizeBytes = 0, LastModified, ETag: etag = '', ChecksumSHA256: sum } = answer
      const whole = answer.ChecksumType === 'COMPOSITE' ? undefined : hexOf(sum)
      const sha256 = sizeOnly ? undefined : (whole ?? this.#sums.find(key, etag) ?? (await this.#hash(key)))
      return { sizeBytes, sha256, lastModifiedMs: LastModified?.getTime() ?? 0 }
    } catch (cause) {
      const error = awsError(cause, 'The object store')
      if (error.kind === 'NotFound') return undefined
      throw error
    }
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: checkKey(key) })
    await this.#client.send(command).catch(rethrow)
  }

  async list(prefix: string, cursor?: string) {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, StartAfter: cursor })
    const { Contents: found = [], IsTruncated: more } = await this.#client.send(command).catch(rethrow)
    const keys = found.map(({ Key, Size, LastModified }) => ({
      key: Key ?? '',
      sizeBytes: Size ?? 0,
      lastModifiedMs: LastModified?.getTime() ?? 0,
    }))
    return { keys, ...(more && { cursor: keys.at(-1)?.key ?? '' }) }
  }

  async presignPut(request: Parameters<ObjectStore['presignPut']>[0]) {
    return await presignPut(this.#client, this.#bucket, request, this.#clock.nowMs())
  }

  async presignPost(request: Parameters<ObjectStore['presignPost']>[0]) {
    return await presignPost(this.#client, this.#bucket, request, this.#clock.nowMs())
  }

  async presignGet(request: Parameters<ObjectStore['presignGet']>[0]): Promise<string> {
    return await presignGet(this.#client, this.#bucket, request, this.#clock.nowMs())
  }

  async #putWhole(key: string, bytes: Buffer, options: PutOptions): Promise<void> {
    const sha256 = createHash('sha256').update(bytes).digest()
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: bytes,
      ContentLength: bytes.length,
      ContentType: options.contentType,
      ...storageClassOf(options),
      ChecksumSHA256: sha256.toString('base64'),
      ...(options.ifAbsent && { IfNoneMatch: '*' }),
    })
    try {
      await this.#client.send(command)
    } catch (cause) {
      const error = awsError(cause, 'The object store')
      const again = error.kind === 'AlreadyExists' && attemptsOf(cause) > 1
      if (again && (await this.head(key))?.sha256 === sha256.toString('hex')) return // The first answer was lost.
      throw error.kind === 'AlreadyExists' ? taken(error) : error
    }
  }

  async #hash(key: string): Promise<string> {
    const hash = createHash('sha256')
    for await (const chunk of await this.get(key)) hash.update(chunk)
    return hash.digest('hex')
  }
}

const taken = (cause: unknown) =>
  new AppError('AlreadyExists', 'There is an object with this key.', { cause })

function hexOf(base64: string | undefined): string | undefined {
  return base64 === undefined || base64.includes('-')
    ? undefined
    : Buffer.from(base64, 'base64').toString('hex')
}

function rethrow(cause: unknown): never {
  throw awsError(cause, 'The object store')
}
