import { z } from 'zod'
import { uploadKeepMs } from '../../shared/limits.ts'
import type { Catalogue } from '../ports.ts'

/** pk `UP#<id>`, sk `META`: what a person said of a file before it was there. Forgotten when the file is. */
export const uploadRow = z.object({
  id: z.string(),
  key: z.string(),
  /** As the person's machine calls it; for people only. */
  name: z.string(),
  sizeBytes: z.number().int(),
  sha256: z.string().optional(),
  /** Whose it is: nobody else may use it. */
  subject: z.string(),
  createdAt: z.number(),
})
export type UploadRow = z.infer<typeof uploadRow>

const uploadKey = (id: string) => ({ pk: `UP#${id}`, sk: 'META' })

export async function addUpload(catalogue: Catalogue, upload: UploadRow): Promise<void> {
  const ttl = Math.ceil((upload.createdAt + uploadKeepMs) / 1000)
  await catalogue.put({ ...upload, ...uploadKey(upload.id), ttl }, 'absent')
}

export async function getUpload(catalogue: Catalogue, id: string): Promise<UploadRow | undefined> {
  const { pk, sk } = uploadKey(id)
  const row = await catalogue.get(pk, sk)
  return row && uploadRow.parse(row)
}
