import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export type AwsProgram = AsyncDisposable & { url: string; adminToken: string; deviceToken: string }

/** Whether the journeys are to run against the AWS side: set by the files of test/journey/aws. */
export const cloudIsAws = () => wanted()?.startsWith('aws') ?? false

const wanted = () => process.env.EDGEREEL_TEST_CLOUD

/**
 * Starts `aws-program-main.ts`. `agent`: the name that its device token is bound to. With `aws-unruly` its events
 * come three times, late and in any order.
 */
export async function startAwsProgram(agent: string): Promise<AwsProgram> {
  const main = join(import.meta.dirname, 'aws-program-main.ts')
  const args = [main, '--agent', agent, ...(wanted() === 'aws-unruly' ? ['--unruly'] : [])]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const [line] = (await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(() => {
      throw new Error('the cloud on AWS did not start')
    }),
  ])) as [string]
  const said = JSON.parse(line) as { url: string; adminToken: string; deviceToken: string }
  return {
    ...said,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return
      const exit = once(child, 'exit')
      child.stdin.end()
      await exit
    },
  }
}
