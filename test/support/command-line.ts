import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './modules.ts'

export type Ran = { code: number; stdout: string; stderr: string }

/** The command line as a user types it. */
export async function edgereel(
  args: string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Ran> {
  const env = { ...process.env, LANG: 'C', ...options.env }
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [join(repository, 'agent/cli.ts'), ...args],
      { ...options, env, timeout: 60_000 },
    )
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}
