import { randomInt } from 'node:crypto'

const letters = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford's: none is taken for another when read aloud.
const suffixLength = 4

/** `20261120T053000Z-k3f9`: a name that sorts by time and does not repeat within its second (1 in a million). */
export function newRecordingId(nowMs: number): string {
  const second = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const suffix = Array.from({ length: suffixLength }, () => letters[randomInt(letters.length)]).join('')
  return `${second}-${suffix}`
}
