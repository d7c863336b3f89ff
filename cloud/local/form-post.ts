import { uploadFieldsBytesMax } from '../../shared/cloud-limits.ts'
import { AppError } from '../../shared/error.ts'

export type Form = { fields: ReadonlyMap<string, string>; file: AsyncIterable<Uint8Array> }

/**
 * Reads `multipart/form-data` (RFC 7578) as S3 takes it: fields first, then one part `file`, which is not held in
 * memory but handed on as it comes. What follows it is not looked at.
 *
 *   --boundary CRLF headers CRLF CRLF value CRLF --boundary … CRLF --boundary--
 */
export async function readForm(
  contentType: string,
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<Form> {
  const boundary = /^multipart\/form-data\b.*;\s*boundary="?([^";]{1,70})"?/i.exec(contentType)?.[1]
  if (!boundary) throw malformed('it has no boundary')
  const text = new UntilReader(body)
  const fields = new Map<string, string>()
  await text.until(`--${boundary}\r\n`, uploadFieldsBytesMax)
  for (let left = uploadFieldsBytesMax; ; ) {
    const head = await text.until('\r\n\r\n', left)
    const name = /content-disposition:[^\r]*\bname="([^"\r]{1,100})"/i.exec(head)?.[1]
    if (name === undefined) throw malformed('a part has no name')
    if (name === 'file') return { fields, file: text.streamUntil(Buffer.from(`\r\n--${boundary}`)) }
    const value = await text.until(`\r\n--${boundary}\r\n`, left)
    fields.set(name.toLowerCase(), value)
    left -= head.length + value.length
  }
}

/** Bytes that come in pieces, read up to marks. */
class UntilReader {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  #held: Buffer = Buffer.alloc(0)

  constructor(body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
    this.#chunks = Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator]()
  }

  /** What stands before the mark, which is skipped. */
  async until(mark: string, bytesMax: number): Promise<string> {
    for (let at = 0; ; ) {
      const found = this.#held.indexOf(mark, at)
      if (found >= 0) {
        const text = this.#held.toString('utf8', 0, found)
        this.#held = this.#held.subarray(found + mark.length)
        return text
      }
      at = Math.max(0, this.#held.length - mark.length)
      if (at > bytesMax) throw malformed('its fields are too long')
      const next = await this.#next()
      if (!next) throw malformed('it ends early')
      this.#held = Buffer.concat([this.#held, next])
    }
  }

  async *streamUntil(mark: Buffer): AsyncGenerator<Uint8Array> {
    for (;;) {
      const found = this.#held.indexOf(mark)
      if (found >= 0) {
        yield this.#held.subarray(0, found)
        await this.#chunks.return?.()
        return
      }
      const sure = this.#held.length - mark.length + 1 // The rest may be the beginning of the mark.
      if (sure > 0) {
        yield this.#held.subarray(0, sure)
        this.#held = this.#held.subarray(sure)
      }
      const next = await this.#next()
      if (!next) throw malformed('it ends within the file')
      this.#held = Buffer.concat([this.#held, next])
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#chunks.next()
    return done ? undefined : value
  }
}

const malformed = (why: string) =>
  new AppError('InvalidArgument', `The form is not one that the store takes: ${why}.`, {
    zh: '表单格式不正确。',
  })
