import { crc32 } from 'node:zlib'
import { Refusal } from './refusal.ts'

const partBytesMin = 5 * 1024 * 1024
const partsMax = 10_000

type Upload = { bucket: string; key: string; isFullObject: boolean; parts: Map<number, Buffer> }

/** Multipart uploads under way, with their bytes: only so the CRC of a whole object can be compared. */
export class Uploads {
  readonly #open = new Map<string, Upload>()

  get count(): number {
    return this.#open.size
  }

  begin(id: string, upload: { bucket: string; key: string; isFullObject: boolean }): void {
    this.#open.set(id, { ...upload, parts: new Map() })
  }

  /** An id counts for its own key only. */
  check(id: string, key: string): void {
    if (this.#open.get(id)?.key !== key)
      throw new Refusal(404, 'NoSuchUpload', 'The specified upload does not exist.')
  }

  addPart(id: string, number: number, bytes: Buffer): void {
    if (!(number >= 1 && number <= partsMax))
      throw new Refusal(
        400,
        'InvalidArgument',
        'Part number must be an integer between 1 and 10000, inclusive',
      )
    this.#open.get(id)?.parts.set(number, bytes)
  }

  end(id: string): void {
    this.#open.delete(id)
  }

  /** What S3 compares before it joins the parts. Returns the checksum that it keeps of the whole. */
  checkComplete(id: string, xml: string, headers: Map<string, string>): Record<string, string> {
    const upload = this.#open.get(id)
    const numbers = [...xml.matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(([, number]) => Number(number))
    if (!upload || numbers.length === 0)
      throw new Refusal(400, 'MalformedXML', 'The XML you provided was not well-formed')
    if (numbers.some((number, i) => i > 0 && number <= (numbers[i - 1] ?? 0)))
      throw new Refusal(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.')
    const parts = numbers.map((number) => upload.parts.get(number))
    const whole = parts.filter((part) => part !== undefined)
    if (whole.length < parts.length)
      throw new Refusal(400, 'InvalidPart', 'One or more of the specified parts could not be found.')
    if (whole.slice(0, -1).some((part) => part.length < partBytesMin))
      throw new Refusal(
        400,
        'EntityTooSmall',
        'Your proposed upload is smaller than the minimum allowed size',
      )
    const sizeBytes = whole.reduce((sum, part) => sum + part.length, 0)
    const said = headers.get('x-amz-mp-object-size')
    if (said !== undefined && Number(said) !== sizeBytes)
      throw new Refusal(
        400,
        'InvalidRequest',
        'The provided x-amz-mp-object-size does not match the size of the object.',
      )
    return this.#checkCrc(upload, whole, headers.get('x-amz-checksum-crc32'))
  }

  #checkCrc({ isFullObject }: Upload, parts: Buffer[], said: string | undefined): Record<string, string> {
    if (!isFullObject) return {}
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(parts.reduce((crc, part) => crc32(part, crc), 0))
    const value = sum.toString('base64')
    if (said !== undefined && said !== value)
      throw new Refusal(400, 'BadDigest', 'The CRC32 you specified did not match the calculated checksum.')
    return { 'x-amz-checksum-crc32': value, 'x-amz-checksum-type': 'FULL_OBJECT' }
  }
}
