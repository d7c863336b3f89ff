import { extensionOf, soundExtensions, videoExtensions } from '../../shared/contract/beatsync-names.ts'
import { cloud } from '../api.ts'
import { ApiError } from '../http.ts'
import { text } from '../text/text.ts'

export type Part = 'dance' | 'bgm'

const accepted: Record<Part, readonly string[]> = {
  dance: videoExtensions,
  bgm: [...soundExtensions, ...videoExtensions],
}

const bytesMax = 100 * 1024 * 1024 // As the server's, which would refuse it anyway.

export const acceptOf = (part: Part): string => accepted[part].map((name) => `.${name}`).join(',')

/** What is wrong with a chosen file, before a byte of it is sent. */
export function problemOf(part: Part, file: File): string | undefined {
  const words = text.value.beatsync
  if (!accepted[part].includes(extensionOf(file.name))) return words.wrongType(file.name)
  return file.size > bytesMax ? words.tooLarge(file.name) : undefined
}

/** Uploads a file to an address that the cloud signs, and answers the upload's id. */
export async function putFile(part: Part, file: File, onShare: (share: number) => void): Promise<string> {
  // A browser knows few types by name; what the file is, its first bytes tell later.
  const known = /^(video|audio)\//.test(file.type)
  const contentType = known ? (file.type.split(';')[0] ?? '') : part === 'dance' ? 'video/mp4' : 'audio/mpeg'
  const target = await cloud.createUpload({ name: file.name, sizeBytes: file.size, contentType })
  await put(target.url, target.headers ?? {}, file, onShare)
  return target.id
}

/** XMLHttpRequest, because `fetch` does not tell how much it has sent. */
function put(
  url: string,
  headers: Record<string, string>,
  file: File,
  onShare: (share: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const fail = (): void => reject(new ApiError(request.status, text.value.beatsync.uploadFailed(file.name)))
    request.upload.onprogress = ({ loaded, total }) => onShare(total > 0 ? loaded / total : 0)
    request.onload = () => (request.status === 200 ? resolve() : fail())
    request.onerror = fail
    request.onabort = fail
    request.open('PUT', url)
    for (const [name, value] of Object.entries(headers))
      if (name !== 'content-length') request.setRequestHeader(name, value) // That one the browser sends itself.
    request.send(file)
  })
}
