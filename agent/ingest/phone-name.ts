import { isName } from '../../shared/contract/segment.ts'

const lengthMax = 60 // Of the 64 of a name: room for `-2`, `-999`.

/**
 * A name for a phone that brings none: its model and address, for example `Pixel-6a-192.168.1.20`.
 * The address is as the socket gives it: an IPv4 address mapped into IPv6 loses its prefix.
 */
export function phoneName(model: string | undefined, address: string): string {
  return cleanName(`${model?.trim() || 'phone'}-${plainAddress(address)}`)
}

/** `::ffff:192.168.1.20` → `192.168.1.20`. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '')
}

/** The nearest text that is a name: what is not allowed becomes `-`. */
export function cleanName(text: string): string {
  const cleaned = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replaceAll(/-{2,}/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, lengthMax)
    .replace(/[.-]+$/, '')
  return isName(cleaned) ? cleaned : `phone-${cleaned}`.replace(/[.-]+$/, '')
}

/** `name`, or `name-2`, `name-3` …: the first that is not taken. Case does not tell names apart. */
export function uniqueName(name: string, taken: (name: string) => boolean): string {
  let unique = name
  for (let n = 2; taken(unique); n += 1) unique = `${name}-${n}`
  return unique
}
