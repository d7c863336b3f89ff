import { AppError } from '../shared/error.ts'
import { objectKeyBytesMax } from '../shared/limits.ts'

// Every part begins with a letter or digit: no `.`, no `..`, no hidden or temporary file, nothing empty.
const part = '[A-Za-z0-9][A-Za-z0-9._~-]*'
const keyPattern = new RegExp(`^(raw|media|exports|uploads|results|tmp)(/${part})+$`)

/** Throws `InvalidArgument` for anything that could leave the archive's directory. */
export function checkKey(key: string): string {
  if (!isKey(key)) throw new AppError('InvalidArgument', 'This is not the key of an object of the archive.')
  return key
}

export function isKey(key: string): boolean {
  return key.length <= objectKeyBytesMax && keyPattern.test(key)
}
