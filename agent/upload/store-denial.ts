import { AppError } from '../../shared/error.ts'
import { uploadDenialsMax } from '../../shared/limits.ts'

/** The store answered 403 to an address that is a second old. Worth another attempt: a person may mend it meanwhile. */
export class StoreDenied extends AppError {
  constructor() {
    super(
      'Unavailable',
      'The store denies uploads, also to fresh addresses: look at its bucket policy and key, and at the clock of this machine.',
      { zh: '存储拒绝上传（新签发的链接也被拒绝）：请检查存储桶策略、密钥和本机时钟。' },
    )
  }
}

/** A store that denies again and again is an alarm until it takes something; heartbeats that get through do not end it. */
export class DenialWatch {
  readonly #onAlarm: (error: AppError) => void
  #error: StoreDenied | undefined
  #count = 0

  constructor(onAlarm: (error: AppError) => void) {
    this.#onAlarm = onAlarm
  }

  /** In a row. */
  get count(): number {
    return this.#count
  }

  get alarm(): StoreDenied | undefined {
    return this.#count >= uploadDenialsMax ? this.#error : undefined
  }

  failed(error: AppError): void {
    if (!(error instanceof StoreDenied)) return
    this.#error = error
    this.#count += 1
    if (this.#count === uploadDenialsMax) this.#onAlarm(error)
  }

  stored(): void {
    this.#count = 0
  }
}
