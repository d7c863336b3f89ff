import { AppError } from '../../shared/error.ts'
import { uploadDenialsMax } from '../../shared/limits.ts'

/**
 * The store takes nothing, whatever it is: 403 to an address that is a second old, no bucket, no key to encrypt with.
 * Not the fault of a segment, so none is set aside; worth another attempt, for a person may mend it meanwhile.
 */
export class StoreDenied extends AppError {
  constructor(code = 'AccessDenied', cause?: unknown) {
    super(
      'Unavailable',
      `The store denies uploads (${code}): look at its bucket, its policy and its key, and at the clock of this machine.`,
      { cause, zh: `存储拒绝上传（${code}）：请检查存储桶、策略、密钥和本机时钟。` },
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
