import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Arch, checkFfmpeg, findFfmpeg, missingFfmpeg } from './ffmpeg-binary.ts'

/** What `edgereel deploy` shows. `fail`: the deployment would stop there. */
export type Finding = { check: string; state: 'ok' | 'fail'; words: string }
type Asked = { arch: Arch; ffmpeg?: string | undefined; env: NodeJS.ProcessEnv }

/** What can be known before a deployment without asking AWS. Paths are those of the working directory. */
export function checkDeploy(asked: Asked): Finding[] {
  return [checkTools(), checkPage(), checkLayer(asked), checkCredentials(asked.env)]
}

function checkTools(): Finding {
  const isThere = existsSync('node_modules/aws-cdk-lib') && existsSync('node_modules/.bin/cdk')
  return finding(
    'cdk',
    isThere,
    'aws-cdk is installed',
    'aws-cdk is not installed: run npm ci in the checkout',
  )
}

function checkPage(): Finding {
  const isThere = existsSync('dist/web/index.html')
  return finding('page', isThere, 'the page is built', 'the page is not built: run npm run setup')
}

function checkLayer({ arch, ffmpeg }: Asked): Finding {
  const path = findFfmpeg({ arch, ffmpeg })
  if (path === undefined) return { check: 'ffmpeg', state: 'fail', words: missingFfmpeg(arch) }
  try {
    const { length } = checkFfmpeg(path, arch)
    return { check: 'ffmpeg', state: 'ok', words: `${path}, ${arch}, static, ${Math.round(length / 1e6)} MB` }
  } catch (error) {
    return { check: 'ffmpeg', state: 'fail', words: error instanceof Error ? error.message : String(error) }
  }
}

const variables = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
]

function checkCredentials(env: NodeJS.ProcessEnv): Finding {
  const set = variables.find((name) => env[name])
  const files = ['credentials', 'config'].map((name) => join(homedir(), '.aws', name))
  const found = set ?? files.find((path) => existsSync(path))
  const missing =
    'no AWS credentials: run aws configure (or aws sso login) with an account of yours, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'
  return finding('credentials', found !== undefined, `AWS credentials: ${found}`, missing)
}

function finding(check: string, isGood: boolean, good: string, bad: string): Finding {
  return { check, state: isGood ? 'ok' : 'fail', words: isGood ? good : bad }
}

if (import.meta.main) {
  const [arch, ffmpeg] = process.argv.slice(2)
  const findings = checkDeploy({ arch: arch === 'x86_64' ? 'x86_64' : 'arm64', ffmpeg, env: process.env })
  process.stdout.write(JSON.stringify(findings))
}
