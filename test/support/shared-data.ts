import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../../../shared')

/** Path of a file of the data that stands beside the repository, or undefined where only the repository is. */
export function sharedPath(...parts: string[]): string | undefined {
  const path = join(root, ...parts)
  return existsSync(path) ? path : undefined
}

/** Whether an optional third-party program is on PATH; a test that needs it skips itself otherwise. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('which', [name], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
