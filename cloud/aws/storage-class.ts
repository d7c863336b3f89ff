import { rarelyReadBytesMin } from '../../shared/cloud-limits.ts'
import type { PutOptions } from '../ports.ts'

/** What a put says of where the object is to lie; nothing: S3 Standard. */
export function storageClassOf({ rarelyRead, sizeBytes }: PutOptions): { StorageClass?: 'STANDARD_IA' } {
  return rarelyRead && sizeBytes >= rarelyReadBytesMin ? { StorageClass: 'STANDARD_IA' } : {}
}
