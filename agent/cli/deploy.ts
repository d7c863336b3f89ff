import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { type Output, print } from './output.ts'
import { inLanguage, type Words } from './words.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const findings = z.array(z.object({ check: z.string(), state: z.enum(['ok', 'fail']), words: z.string() }))

export type DeployOptions = { arch?: string; ffmpeg?: string }

/** `edgereel deploy`: looks at what a deployment needs, and says what to type. Resolves with the exit code. */
export async function deploy(output: Output, options: DeployOptions): Promise<number> {
  const { arch = 'arm64', ffmpeg } = options
  const args = [`${root}infra/check.ts`, arch, ...(ffmpeg === undefined ? [] : [ffmpeg])]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  const found = findings.parse(JSON.parse(stdout))
  const isReady = found.every(({ state }) => state === 'ok')
  const steps = stepsWith(arch, ffmpeg)
  const commands = steps.map(({ command }) => command)
  print(output, { ready: isReady, findings: found, steps: commands }, () => {
    const lines = found.map(({ state, check, words }) => `${state.padEnd(5)}${check}: ${words}`)
    const next = steps.map(({ command, why }) => `  ${command}  # ${inLanguage(why)}`)
    return [...lines, '', inLanguage(isReady ? ready : notReady), ...next].join('\n')
  })
  return isReady ? 0 : 1
}

const ready: Words = {
  en: 'Ready. In this order, from the checkout:',
  zh: '已就绪。请在代码目录中依次执行：',
}
const notReady: Words = {
  en: 'Mend what fails; then, in this order, from the checkout:',
  zh: '请先解决以上问题，然后在代码目录中依次执行：',
}

function stepsWith(arch: string, ffmpeg: string | undefined): { command: string; why: Words }[] {
  const ofArch = arch === 'arm64' ? '' : ` -c arch=${arch}`
  const ofFfmpeg = ffmpeg === undefined ? '' : ` -c ffmpeg=${ffmpeg}`
  return [
    {
      command: 'npx cdk bootstrap',
      why: { en: 'once for an account and region', zh: '每个账户和区域一次' },
    },
    {
      command: `npx cdk deploy${ofArch}${ofFfmpeg} -c alarmEmail=YOU@EXAMPLE.ORG`,
      why: { en: 'five minutes; again after each update', zh: '约五分钟；每次更新后再执行' },
    },
    {
      command: 'npm run -s edgereel -- token create admin --aws',
      why: {
        en: 'your own token; set the two variables that it prints',
        zh: '您自己的令牌；请设置其输出的两个变量',
      },
    },
    {
      command: 'npm run -s edgereel -- token create NAME --enroll',
      why: { en: 'a line to type on the PC with the cameras', zh: '给出在摄像机电脑上执行的一行命令' },
    },
  ]
}
