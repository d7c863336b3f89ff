import type { Deliver } from '../../cloud/local/queue.ts'

/** Each message one to three times, some of the copies up to two seconds late, so that later ones overtake them. */
export function unruly(random: () => number): Deliver {
  return () => Array.from({ length: 1 + Math.floor(random() * 3) }, () => (random() < 0.5 ? 0 : random() * 2))
}

/** Set by the files of test/journey/unruly before they load a journey, which is unchanged. */
export function deliveryOfTest(): Deliver | undefined {
  return process.env.EDGEREEL_TEST_DELIVERY === 'unruly' ? unruly(numbers(1)) : undefined
}

/** Pseudo-random numbers in [0, 1), the same for the same seed (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
