import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { basename } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { uploadBytesMax } from '../../shared/cloud-limits.ts'
import type { UploadCreated } from '../../shared/contract/beatsync-api.ts'
import { extensionOf } from '../../shared/contract/beatsync-names.ts'
import { cloudIdleMs } from '../../shared/limits.ts'
import { type Output, Progress, sizeText } from './output.ts'
import type { Server } from './server.ts'
import { failure } from './words.ts'

const types: Record<string, string> = {
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  avi: 'video/x-msvideo',
  mkv: 'video/x-matroska',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  wav: 'audio/wav',
  aac: 'audio/aac',
  ogg: 'audio/ogg',
  flac: 'audio/flac',
}

/** Uploads a file of this machine, with a bar, and answers the id of the upload. */
export async function putUpload(server: Server, output: Output, path: string): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    throw failure('NotFound', { en: `there is no file ${path}`, zh: `文件 ${path} 不存在` }, { cause })
  })
  const contentType = types[extensionOf(path)]
  if (!found.isFile() || contentType === undefined) {
    const names = Object.keys(types).join(', ')
    throw failure('InvalidArgument', {
      en: `${path} is not one of ${names}: convert it first`,
      zh: `${path} 不是支持的格式（${names}），请先转换`,
    })
  }
  if (found.size > uploadBytesMax) {
    throw failure('InvalidArgument', {
      en: `${path} is larger than ${sizeText(uploadBytesMax)}: make it smaller first`,
      zh: `${path} 超过 ${sizeText(uploadBytesMax)}，请先压缩`,
    })
  }
  const body = { name: basename(path), sizeBytes: found.size, sha256: await sha256Of(path), contentType }
  const target = await server.call<UploadCreated>('POST', '/v1/uploads', body)
  await put(new URL(target.url, server.base), target.headers ?? {}, { path, sizeBytes: found.size, output })
  return target.id
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

type Source = { path: string; sizeBytes: number; output: Output }

async function put(url: URL, headers: Record<string, string>, source: Source): Promise<void> {
  const { path, sizeBytes } = source
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const request = send(url, { method: 'PUT', headers, timeout: cloudIdleMs })
  request.on('timeout', () => request.destroy(new Error('the server stopped reading')))
  const answered = Promise.withResolvers<IncomingMessage>()
  request.on('response', answered.resolve)
  request.on('error', answered.reject)
  const progress = new Progress(source.output)
  let sent = 0
  const count = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      sent += chunk.length
      progress.show((sent / sizeBytes) * 100, `${basename(path)} ${sizeText(sent)}`)
      done(null, chunk)
    },
  })
  // An answer may come before the end of the body (a refusal): then that is what counts.
  const sending = pipeline(createReadStream(path), count, request).catch((cause: unknown) =>
    answered.reject(cause),
  )
  try {
    const response = await answered.promise
    response.resume()
    if (response.statusCode === 200) return
    throw new Error(`HTTP ${response.statusCode}`)
  } catch (cause) {
    request.destroy()
    throw failure(
      'Unavailable',
      { en: `${path} could not be uploaded: try again`, zh: `无法上传 ${path}，请重试` },
      { cause },
    )
  } finally {
    await sending
    progress.done()
  }
}
