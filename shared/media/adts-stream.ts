import { AppError } from '../error.ts'
import { splitAdts } from './aac.ts'
import type { AudioConfig } from './access-unit.ts'

export type AdtsFrame = {
  config: AudioConfig
  /** Without its header. */
  payload: Uint8Array
  /** It began in an earlier piece. */
  carried: boolean
}

const headerBytes = 7

/**
 * Pieces of an ADTS stream, cut anywhere → frames. What is no frame is skipped up to the next sync word; a change of
 * configuration is a new object.
 */
export class AdtsStream {
  #rest: Uint8Array = new Uint8Array(0)
  #config: AudioConfig | undefined
  #skipped = 0

  /** How many bytes belonged to no frame. */
  get skipped(): number {
    return this.#skipped
  }

  push(bytes: Uint8Array): AdtsFrame[] {
    const carried = this.#rest.length
    const all = new Uint8Array(carried + bytes.length)
    all.set(this.#rest)
    all.set(bytes, carried)
    const frames: AdtsFrame[] = []
    let at = 0
    while (at + headerBytes <= all.length) {
      const length = frameBytes(all, at)
      if (length !== undefined && at + length > all.length) break
      const frame = length === undefined ? undefined : this.#read(all.subarray(at, at + length))
      if (frame) frames.push({ ...frame, carried: at < carried })
      else this.#skipped += 1
      at += frame && length !== undefined ? length : 1
    }
    this.#rest = all.subarray(at)
    return frames
  }

  /** After a loss: what was begun does not go on. */
  clear(): void {
    this.#skipped += this.#rest.length
    this.#rest = new Uint8Array(0)
  }

  #read(frame: Uint8Array): { config: AudioConfig; payload: Uint8Array } | undefined {
    try {
      const { config, frames } = splitAdts(frame)
      const isSame = this.#config && Buffer.compare(this.#config.specificConfig, config.specificConfig) === 0
      if (!isSame) this.#config = config
      const [payload] = frames
      return payload && payload.length > 0 ? { config: this.#config ?? config, payload } : undefined
    } catch (error) {
      if (error instanceof AppError) return undefined
      throw error
    }
  }
}

/** Length of the frame whose header stands at `at`; undefined where none does. */
function frameBytes(bytes: Uint8Array, at: number): number | undefined {
  const [sync, flags = 0, , size0 = 0, size1 = 0, size2 = 0] = bytes.subarray(at, at + headerBytes)
  if (sync !== 0xff || (flags & 0xf6) !== 0xf0) return undefined
  const length = ((size0 & 3) << 11) | (size1 << 3) | (size2 >> 5)
  return length > headerBytes ? length : undefined
}
