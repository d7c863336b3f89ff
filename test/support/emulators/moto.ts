import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { hasProgram } from '../shared-data.ts'
import { type Emulator, listening } from './process.ts'

const unpacked = resolve(import.meta.dirname, '../../../.cache/moto/moto-server') // By install-moto.sh.

/** EDGEREEL_MOTO (`none`: do without), moto_server on PATH (`pip install moto[server]`), or what install-moto.sh has unpacked. */
export function findMoto(): string | undefined {
  const given = process.env.EDGEREEL_MOTO
  if (given) return given === 'none' ? undefined : given
  if (hasProgram('moto_server')) return 'moto_server'
  return existsSync(unpacked) ? unpacked : undefined
}

/** moto's server on a free port of the loopback. */
export async function startMoto(program: string): Promise<Emulator> {
  const child = spawn(program, ['-H', '127.0.0.1', '-p', '0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  return await listening(child, child.stderr, /Running on (http:\/\/127\.0\.0\.1:\d+)/)
}
