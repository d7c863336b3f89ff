import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, readFile, stat, statfs, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findFfmpeg } from '../../shared/node/find-ffmpeg.ts'
import { dataDirectory, readConfig } from '../config.ts'
import { readEnrolment } from '../enrolment.ts'
import { checkVehicles } from './doctor-vehicles.ts'
import { type Output, print, sizeText } from './output.ts'
import { inLanguage, type Words } from './words.ts'

/** `fail` keeps edgereel from its main job; `warn` costs something that the words name. */
export type Finding = { check: string; state: 'ok' | 'warn' | 'fail'; words: Words }

export type DoctorOptions = { data?: string; config?: string; fix?: boolean }

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Looks at everything that edgereel needs from this machine; with `fix` it mends what can be mended. */
export async function doctor(output: Output, options: DoctorOptions): Promise<number> {
  const fix = options.fix ?? false
  const data = dataDirectory(options.data)
  const checks = [
    checkNode(),
    await checkFfmpeg(fix),
    await checkPage(fix),
    await checkData(data),
    await checkSocketBuffer(),
  ]
  const findings = [...checks, ...(await checkConfig(options.config, data))]
  print(output, { findings }, () =>
    findings.map((f) => `${f.state.padEnd(5)}${f.check}: ${inLanguage(f.words)}`).join('\n'),
  )
  return findings.some((f) => f.state === 'fail') ? 1 : 0
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 24 || (major === 24 && minor >= 15))
    return ok('node', { en: `Node ${process.version}`, zh: `Node ${process.version}` })
  return {
    check: 'node',
    state: 'fail',
    words: {
      en: `Node ${process.version} is too old; npm ci brings 24 along: start by npm run`,
      zh: `Node ${process.version} 过旧；npm ci 会带来 24：请用 npm run 启动`,
    },
  }
}

/** The commands that install FFmpeg with what the system has, in the order in which they are looked for. */
const installers: { program: string; commands: string[][] }[] = [
  {
    program: 'apt-get',
    commands: [
      ['apt-get', 'update', '-qq'],
      ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'ffmpeg'],
    ],
  },
  { program: 'dnf', commands: [['dnf', 'install', '-y', 'ffmpeg-free']] },
  { program: 'apk', commands: [['apk', 'add', 'ffmpeg']] },
  { program: 'pacman', commands: [['pacman', '-S', '--noconfirm', 'ffmpeg']] },
  { program: 'zypper', commands: [['zypper', '--non-interactive', 'install', 'ffmpeg']] },
  { program: 'brew', commands: [['brew', 'install', 'ffmpeg']] },
  { program: 'winget', commands: [['winget', 'install', '-e', '--id', 'Gyan.FFmpeg']] },
]

async function checkFfmpeg(fix: boolean): Promise<Finding> {
  const found = await ffmpegVersion()
  if (found) return ok('ffmpeg', { en: found, zh: found })
  const installer = fix ? await installFfmpeg() : ''
  const installed = installer ? await ffmpegVersion() : undefined
  if (installed)
    return ok('ffmpeg', {
      en: `installed with ${installer}: ${installed}`,
      zh: `已用 ${installer} 安装：${installed}`,
    })
  return {
    check: 'ffmpeg',
    state: 'warn',
    words: {
      en: "not found: recordings and MP4s are made, thumbnails are not. Install it with the system's package manager, or set FFMPEG_BIN",
      zh: '未找到：仍可录制并生成 MP4，但没有缩略图。请用系统包管理器安装，或设置 FFMPEG_BIN',
    },
  }
}

/** `/usr/bin/ffmpeg, ffmpeg version 5.1.9-0+deb12u1`; undefined when there is none, or it does not run. */
async function ffmpegVersion(): Promise<string | undefined> {
  const path = await findFfmpeg()
  if (path === undefined) return undefined
  const run = await promisify(execFile)(path, ['-version']).catch(() => undefined)
  return run && `${path}, ${run.stdout.split(' ').slice(0, 3).join(' ')}`
}

async function installFfmpeg(): Promise<string> {
  for (const { program, commands } of installers) {
    if (!(await onPath(program))) continue
    const sudo =
      process.getuid?.() !== 0 && program !== 'brew' && (await onPath('sudo')) ? ['sudo', '-n'] : []
    for (const command of commands) await run([...sudo, ...command], { DEBIAN_FRONTEND: 'noninteractive' })
    return program
  }
  return ''
}

async function onPath(program: string): Promise<boolean> {
  const finder = process.platform === 'win32' ? 'where' : 'which'
  return promisify(execFile)(finder, [program]).then(
    () => true,
    () => false,
  )
}

/** Its output goes to stderr, so that a person sees what is being installed. */
async function run(command: string[], env: Record<string, string> = {}): Promise<boolean> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 2, 2], env: { ...process.env, ...env } })
  const [code] = (await once(child, 'exit').catch(() => [1])) as [number | null]
  return code === 0
}

/** The page is built from `web/` by esbuild, once; a later change of a source makes it old. */
async function checkPage(fix: boolean): Promise<Finding> {
  const built = join(root, 'dist/web/index.html')
  if (fix && !(await run([process.execPath, join(root, 'web/build.ts')]))) {
    return {
      check: 'page',
      state: 'fail',
      words: {
        en: 'web/build.ts failed: run npm ci, then npm run setup',
        zh: 'web/build.ts 失败：请运行 npm ci，然后 npm run setup',
      },
    }
  }
  const when = await stat(built).catch(() => undefined)
  if (when)
    return ok('page', { en: `built ${when.mtime.toISOString()}`, zh: `构建于 ${when.mtime.toISOString()}` })
  return {
    check: 'page',
    state: 'fail',
    words: { en: 'not built: run npm run setup', zh: '尚未构建：请运行 npm run setup' },
  }
}

const freeBytesMin = 2e9 // Half an hour of two phones at 4 Mb/s; below it a recording soon ends in the disk-full policy.

async function checkData(data: string): Promise<Finding> {
  try {
    await mkdir(data, { recursive: true, mode: 0o700 })
    const probe = join(data, `.probe-${process.pid}`)
    await writeFile(probe, 'x')
    await unlink(probe)
    const { bavail, bsize } = await statfs(data)
    const free = bavail * bsize
    const words = { en: `${data}, ${sizeText(free)} free`, zh: `${data}，可用 ${sizeText(free)}` }
    return { check: 'data', state: free < freeBytesMin ? 'warn' : 'ok', words }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return {
      check: 'data',
      state: 'fail',
      words: {
        en: `${data} cannot be written (${reason}): choose another with --data`,
        zh: `无法写入 ${data}（${reason}）：请用 --data 另选目录`,
      },
    }
  }
}

export const lowatWanted = 131_072 // The kernel then holds at most this much of a slow viewer's bytes beyond its budget.

async function checkSocketBuffer(): Promise<Finding> {
  const path = '/proc/sys/net/ipv4/tcp_notsent_lowat'
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined)
    return ok('kernel', { en: 'no tcp_notsent_lowat on this system', zh: '此系统没有 tcp_notsent_lowat' })
  const value = Number(text.trim())
  const words = { en: `tcp_notsent_lowat ${value}`, zh: `tcp_notsent_lowat ${value}` }
  if (value <= lowatWanted) return ok('kernel', words)
  return ok('kernel', {
    en: `${words.en}: a viewer that stops reading may hold some megabytes in the kernel; sysctl -w net.ipv4.tcp_notsent_lowat=${lowatWanted} bounds that, service install --sysctl for good`,
    zh: `${words.zh}：停止读取的观看者可能在内核中占用数兆字节；可用 sysctl -w net.ipv4.tcp_notsent_lowat=${lowatWanted} 限制`,
  })
}

async function checkConfig(path: string | undefined, data: string): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    const config = await readConfig(path, await readEnrolment(data))
    findings.push(ok('config', { en: path ?? 'defaults', zh: path ?? '默认值' }))
    findings.push(...(await checkVehicles(config)))
    if (config.phones.allowWithoutToken !== false) {
      const who = Array.isArray(config.phones.allowWithoutToken)
        ? config.phones.allowWithoutToken.join(', ')
        : '*'
      findings.push({
        check: 'phones',
        state: 'warn',
        words: {
          en: `phones.allowWithoutToken lets any phone in from ${who}`,
          zh: `phones.allowWithoutToken 允许来自 ${who} 的任何手机`,
        },
      })
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    findings.push({ check: 'config', state: 'fail', words: { en: reason, zh: reason } })
  }
  const tokens = await access(join(data, 'admin.token')).then(
    () => stat(join(data, 'admin.token')),
    () => undefined,
  )
  if (tokens && process.platform !== 'win32' && (tokens.mode & 0o077) !== 0) {
    findings.push({
      check: 'secrets',
      state: 'warn',
      words: {
        en: `${join(data, 'admin.token')} can be read by others: chmod 600 it`,
        zh: `${join(data, 'admin.token')} 可被他人读取：请 chmod 600`,
      },
    })
  }
  return findings
}

function ok(check: string, words: Words): Finding {
  return { check, state: 'ok', words }
}
