import { vehicleSequenceJumpMax } from '../../shared/vehicle-limits.ts'

/** Numbering goes on over the channels of one connection on some devices. */
export type ConnectionSequence = { last: number | undefined }

/**
 * What the numbers of a channel's packets say. By the standard a channel numbers its packets; devices also number each
 * connection, or pictures and sound apart, so a packet is in order if it follows in any of these. Numbers that
 * stand still, step back or leap say nothing: the numbering began anew, or is none.
 */
export class Jt1078Sequence {
  readonly #connection: ConnectionSequence
  readonly #lanes: (number | undefined)[] = []
  #channel: number | undefined

  constructor(connection: ConnectionSequence) {
    this.#connection = connection
  }

  /** How many packets are missing before this one. `lane`: 0 pictures, 1 sound, 2 data. */
  next(sequence: number, lane: number): number {
    const step = Math.min(
      stepFrom(this.#channel, sequence),
      stepFrom(this.#lanes[lane], sequence),
      stepFrom(this.#connection.last, sequence),
    )
    const isFirst = this.#channel === undefined
    this.#channel = sequence
    this.#lanes[lane] = sequence
    this.#connection.last = sequence
    return isFirst || step > vehicleSequenceJumpMax ? 0 : step - 1
  }
}

/** Forward from `last`, 1 … 65536; numbers wrap at 65535. */
function stepFrom(last: number | undefined, sequence: number): number {
  return last === undefined ? Number.POSITIVE_INFINITY : ((sequence - last - 1) & 0xffff) + 1
}
