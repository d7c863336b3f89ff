const firstPauseMs = 1000
const pauseMaxMs = 30_000

/**
 * Pause before try `failures` (from 1): doubles up to 30 s; `random` in 0…1 keeps the tiles of a wall from
 * marching in step.
 */
export function retryPauseMs(failures: number, random: number): number {
  const full = Math.min(firstPauseMs * 2 ** (failures - 1), pauseMaxMs)
  return full / 2 + (full / 2) * random
}
