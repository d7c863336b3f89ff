/** An answer of S3 that is an error; `code` as in the S3 API reference, "Error responses". */
export class Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }

  get xml(): string {
    const escaped = this.message.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${this.code}</Code><Message>${escaped}</Message></Error>`
  }
}
