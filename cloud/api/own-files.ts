import { randomBytes } from 'node:crypto'
import { uploadFormS } from '../../shared/cloud-limits.ts'
import type { UploadCreated, UploadRequest } from '../../shared/contract/beatsync-api.ts'
import { extensionOf } from '../../shared/contract/beatsync-names.ts'
import { AppError } from '../../shared/error.ts'
import { addUpload, getUpload, type UploadRow } from '../rows/upload.ts'
import type { Caller } from './caller.ts'
import type { ApiPorts } from './route.ts'

/** The address is good for exactly one key that nobody can guess; what comes there is looked at when it is used. */
export async function createUpload(
  { store, catalogue, clock }: ApiPorts,
  { name, sizeBytes, sha256, contentType, method = 'PUT' }: UploadRequest,
  caller: Caller,
): Promise<UploadCreated> {
  const id = `up-${randomBytes(10).toString('hex')}`
  const key = `uploads/${id}.${extensionOf(name)}`
  const sum = sha256 === undefined ? {} : { sha256 }
  const asked = { key, sizeBytes, contentType, expiresS: uploadFormS, ...sum }
  const target = method === 'PUT' ? await store.presignPut(asked) : await store.presignPost(asked)
  await addUpload(catalogue, {
    id,
    key,
    name,
    sizeBytes,
    ...sum,
    subject: caller.subject,
    createdAt: clock.nowMs(),
  })
  return { id, ...target }
}

/** One's own; an admin's are all. */
export async function findUpload({ catalogue }: ApiPorts, id: string, caller: Caller): Promise<UploadRow> {
  const upload = await getUpload(catalogue, id)
  if (upload && (upload.subject === caller.subject || caller.role === 'admin')) return upload
  throw new AppError('NotFound', `There is no upload ${id}: uploads are kept for 24 hours.`, {
    zh: `没有上传 ${id}：上传的文件保留 24 小时。`,
  })
}
