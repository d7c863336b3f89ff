import { isAbsolute, join, relative } from 'node:path'
import { checkKey } from '../object-key.ts'

/** The file of a key below `root`. */
export function keyPath(root: string, key: string): string {
  return join(root, ...checkKey(key).split('/'))
}

/** Whether the real path (links followed) is inside of the real root. */
export function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '' && !way.startsWith('..') && !isAbsolute(way)
}
