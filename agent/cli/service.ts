import { execFile } from 'node:child_process'
import { access, mkdir, rm, writeFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { dataDirectory, readConfig } from '../config.ts'
import { lowatWanted } from './doctor.ts'
import { type Output, print } from './output.ts'
import { launchdPlist, systemdUnit, type UnitOptions } from './service-unit.ts'
import type { UpOptions } from './up.ts'
import { failure, inLanguage } from './words.ts'

export type ServiceOptions = Omit<UpOptions, 'demo'> & {
  /** The account under which a unit of the system runs; absent: the one that called sudo. */
  user?: string
  /** Also bounds what the kernel holds for viewers that do not read. */
  sysctl?: boolean
  /** Shows the file and changes nothing. */
  print?: boolean
}

const name = 'edgereel'
const label = 'edgereel.agent'
const sysctlFile = '/etc/sysctl.d/60-edgereel.conf'

type Service = { path: string; text: string; begin: string[][]; end: string[][] }

/** `edgereel service install`: `up` with these options at every start of the machine, started again when it ends. */
export async function installService(output: Output, options: ServiceOptions): Promise<void> {
  const data = resolve(dataDirectory(options.data))
  if (options.config !== undefined) await readConfig(resolve(options.config)) // Said now, not at the next boot.
  const service = serviceOf(data, options)
  if (options.print) {
    print(output, { path: service.path, text: service.text }, () => service.text)
    return
  }
  if (options.user === undefined) await mkdir(data, { recursive: true, mode: 0o700 })
  await write(service.path, service.text)
  if (options.sysctl) await boundKernel()
  const failed = await run(service.begin)
  print(output, { path: service.path, started: failed === undefined }, () =>
    failed === undefined
      ? inLanguage({
          en: `installed as ${service.path} and started; its data: ${data}`,
          zh: `已安装为 ${service.path} 并启动；数据目录：${data}`,
        })
      : inLanguage({
          en: `installed as ${service.path}; to start it: ${failed}`,
          zh: `已安装为 ${service.path}；启动命令：${failed}`,
        }),
  )
}

/** `edgereel service uninstall`: recordings and settings stay. */
export async function uninstallService(output: Output, options: ServiceOptions): Promise<void> {
  const { path, end } = serviceOf(resolve(dataDirectory(options.data)), options)
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (!isThere)
    throw failure('NotFound', { en: `there is no service at ${path}`, zh: `${path} 处没有已安装的服务` })
  await run(end)
  await rm(path)
  print(output, { path }, () =>
    inLanguage({ en: `${path} is gone; the data stays`, zh: `已删除 ${path}；数据保留` }),
  )
}

function serviceOf(data: string, options: ServiceOptions): Service {
  const command = [
    process.execPath,
    fileURLToPath(new URL('../cli.ts', import.meta.url)),
    'up',
    '--data',
    data,
  ]
  if (options.config !== undefined) command.push('--config', resolve(options.config))
  if (options.port !== undefined) command.push('--port', options.port)
  if (options.lan) command.push('--lan')
  if (options.tls) command.push('--tls')
  if (process.platform === 'linux') return systemd({ command, data }, options)
  if (process.platform === 'darwin') return launchd({ command, data })
  throw failure('FailedPrecondition', {
    en: 'on this system there is no service to install: start edgereel up by the task scheduler, at logon, without a time limit',
    zh: '此系统不支持安装服务：请用任务计划程序在登录时运行 edgereel up',
  })
}

function systemd(unit: UnitOptions, options: ServiceOptions): Service {
  if (process.getuid?.() !== 0) {
    const path = join(
      process.env.XDG_CONFIG_HOME ?? join(homedir(), '.config'),
      'systemd/user',
      `${name}.service`,
    )
    const text = systemdUnit(unit)
    const control = ['systemctl', '--user']
    // Without lingering the units of a user end when the last session does.
    const linger = ['loginctl', 'enable-linger', userInfo().username]
    return {
      path,
      text,
      begin: [[...control, 'daemon-reload'], linger, start(control)],
      end: [stop(control)],
    }
  }
  const user = options.user ?? process.env.SUDO_USER ?? 'root'
  if (!/^[a-z_][a-z0-9_-]{0,31}$/i.test(user))
    throw failure('InvalidArgument', {
      en: `--user ${user} is no account`,
      zh: `--user ${user} 不是有效账户`,
    })
  const control = ['systemctl']
  return {
    path: `/etc/systemd/system/${name}.service`,
    text: systemdUnit({ ...unit, user }),
    begin: [
      ['install', '-d', '-m', '700', '-o', user, unit.data],
      [...control, 'daemon-reload'],
      start(control),
    ],
    end: [stop(control)],
  }
}

const start = (control: string[]) => [...control, 'enable', '--now', name]
const stop = (control: string[]) => [...control, 'disable', '--now', name]

function launchd(unit: UnitOptions): Service {
  const path = join(homedir(), 'Library/LaunchAgents', `${label}.plist`)
  return {
    path,
    text: launchdPlist(unit, label),
    begin: [['launchctl', 'load', '-w', path]],
    end: [['launchctl', 'unload', '-w', path]],
  }
}

/** At the next boot and now. */
async function boundKernel(): Promise<void> {
  await write(sysctlFile, `net.ipv4.tcp_notsent_lowat = ${lowatWanted}\n`)
  await run([['sysctl', '-q', '-p', sysctlFile]])
}

async function write(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text, { mode: 0o644 })
  } catch (cause) {
    throw failure(
      'FailedPrecondition',
      { en: `${path} cannot be written: run this with sudo`, zh: `无法写入 ${path}：请使用 sudo` },
      { cause },
    )
  }
}

/** In order; the commands that are left when one fails, for a person to type (no systemd in a container, say). */
async function run(commands: readonly (readonly string[])[]): Promise<string | undefined> {
  for (const [i, [program = '', ...args]] of commands.entries()) {
    try {
      await promisify(execFile)(program, args)
    } catch {
      return commands
        .slice(i)
        .map((words) => words.join(' '))
        .join(' && ')
    }
  }
  return undefined
}
