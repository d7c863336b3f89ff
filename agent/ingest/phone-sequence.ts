import { phoneSequenceJumpMax, phoneSequenceLate } from '../../shared/limits.ts'

const modulus = 2 ** 32
const half = 2 ** 31

export type SequenceStep =
  | { kind: 'first' | 'next' | 'wrap' | 'duplicate' | 'late' | 'restart' }
  /** `missing` numbers were left out. */
  | { kind: 'gap'; missing: number }

/** The u32 numbers of a phone's packets: from 0 at each start, around at 2³² (RELIABILITY.md D3). */
export class PhoneSequence {
  #last: number | undefined

  /** Takes the number of a picture that was accepted. A late one does not move the count back. */
  next(sequence: number): SequenceStep {
    const last = this.#last
    const step = last === undefined ? { kind: 'first' as const } : stepFrom(last, sequence)
    if (step.kind !== 'late') this.#last = sequence
    return step
  }

  /** What `next` would answer. */
  peek(sequence: number): SequenceStep {
    return this.#last === undefined ? { kind: 'first' } : stepFrom(this.#last, sequence)
  }

  /** A new capture may begin with any number. */
  reset(): void {
    this.#last = undefined
  }
}

function stepFrom(last: number, sequence: number): SequenceStep {
  const ahead = (sequence - last + modulus) % modulus
  if (ahead === 0) return { kind: 'duplicate' }
  if (ahead < half) {
    if (ahead > phoneSequenceJumpMax) return { kind: 'restart' }
    if (ahead > 1) return { kind: 'gap', missing: ahead - 1 }
    return { kind: sequence === 0 ? 'wrap' : 'next' }
  }
  // 0 is where every start begins; another small step back is a packet that was overtaken.
  return { kind: sequence !== 0 && modulus - ahead <= phoneSequenceLate ? 'late' : 'restart' }
}
