import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import { type Output, print } from './output.ts'
import { failure, inLanguage } from './words.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const outputsFile = 'cdk-outputs.json' // cdk.json names it.

/** What `cdk deploy` left: `{<stack>: {TableName, ApiUrl, …}}`. */
const outputs = z.record(z.string(), z.looseObject({ TableName: z.string(), ApiUrl: z.string() }))

export type FirstTokenOptions = { aws?: boolean; table?: string }

/** `edgereel token create NAME --aws`: an admin's token, written with the deployer's own AWS credentials. */
export async function firstToken(output: Output, name: string, options: FirstTokenOptions): Promise<void> {
  const stack = await deployedStack(options.table)
  const made = await runProgram(['--table', stack.TableName, '--name', name])
  print(output, { ...made, api: stack.ApiUrl }, () => {
    const heading = inLanguage({
      en: 'An admin, shown this once. From now on:',
      zh: '管理员令牌，仅显示这一次。之后请设置：',
    })
    const api = stack.ApiUrl === undefined ? '' : `export EDGEREEL_API=${stack.ApiUrl}\n`
    return `${heading}\n${api}export EDGEREEL_TOKEN=${made.token}`
  })
}

async function deployedStack(table: string | undefined): Promise<{ TableName: string; ApiUrl?: string }> {
  if (table !== undefined) return { TableName: table }
  for (const path of [outputsFile, `${root}${outputsFile}`]) {
    const text = await readFile(path, 'utf8').catch(() => '')
    const stacks = outputs.safeParse(parseJson(text)).data
    const [stack] = Object.values(stacks ?? {})
    if (stack) return stack
  }
  throw failure('NotFound', {
    en: `${outputsFile} is not here: deploy first (edgereel deploy says how), or name the table of the stack with --table`,
    zh: `没有找到 ${outputsFile}：请先部署（见 edgereel deploy），或用 --table 指定数据表`,
  })
}

const madeToken = z.object({ token: z.string(), name: z.string(), role: z.string(), createdAt: z.number() })

/** A process of its own: only the cloud's side knows the AWS SDK. */
async function runProgram(args: string[]): Promise<z.infer<typeof madeToken>> {
  const program = `${root}cloud/aws/first-token.ts`
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args])
    return madeToken.parse(JSON.parse(stdout))
  } catch (cause) {
    const { stderr } = cause as { stderr?: string }
    throw new AppError('FailedPrecondition', stderr?.trim() || 'the token could not be written', { cause })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
