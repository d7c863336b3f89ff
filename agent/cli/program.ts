import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { version } from '../../shared/version.ts'
import { dataDirectory, readConfig } from '../config.ts'
import { type GetOptions, get, type ListOptions, list, share, tasks } from './archive.ts'
import { type BeatsyncOptions, beatsync } from './beatsync.ts'
import { listDeadLetters, redriveDeadLetter } from './dead-letters.ts'
import { type DeployOptions, deploy } from './deploy.ts'
import { type DoctorOptions, doctor } from './doctor.ts'
import { enroll } from './enroll.ts'
import { translateHelp } from './help-zh.ts'
import { timeForms } from './option.ts'
import { createOutput, type Output } from './output.ts'
import { rebuild } from './rebuild.ts'
import { phonesStart, phonesStop, recordReport, recordStart, recordStop } from './record.ts'
import { findServer, type Server, type ServerOptions } from './server.ts'
import { installService, type ServiceOptions, uninstallService } from './service.ts'
import { type SimOptions, type SimRtspOptions, simulatePhone, simulateRtmp, simulateRtsp } from './sim.ts'
import { addVehicleSimulator } from './sim-vehicle.ts'
import { snapshot } from './snapshot.ts'
import { status, streams } from './status.ts'
import { createLink, createToken, listTokens, revokeToken } from './token.ts'
import { cloudArguments, type UpOptions, up } from './up.ts'
import { inLanguage, language } from './words.ts'

/** Every command; what each does is in a file of its own. */
export const program = new Command('edgereel')
  .description(
    inLanguage({
      en: 'records cameras at the edge and keeps them in the cloud',
      zh: '在边缘录制摄像机，并存入云端',
    }),
  )
  .version(version)
  .exitOverride()
  .showSuggestionAfterError()
  .enablePositionalOptions()

/** A command that talks to a running edgereel. */
function client(parent: Command, usage: string, en: string, zh: string): Command {
  return parent
    .command(usage)
    .description(inLanguage({ en, zh }))
    .option('--data <dir>', 'data directory of the running edgereel')
    .option('--port <n>', 'its HTTP port on this machine')
    .option('--api <url>', 'its address (EDGEREEL_API)')
    .option('--token <token>', 'a token (EDGEREEL_TOKEN)')
    .option('--json', 'one JSON value on stdout')
}

type Action<Arguments extends unknown[]> = (
  server: Server,
  output: Output,
  ...args: Arguments
) => Promise<void>

/** Commander calls an action with the arguments, then the options, then the command. */
function served<Arguments extends unknown[]>(action: Action<Arguments>) {
  return async (...args: unknown[]) => {
    const options = args.at(-2) as ServerOptions & { json?: boolean }
    const server = await findServer(options)
    await action(server, createOutput(options.json ?? false), ...(args.slice(0, -1) as Arguments))
  }
}

function addServices(): void {
  const service = (name: string, en: string, zh: string) =>
    program
      .command(name)
      .description(inLanguage({ en, zh }))
      .option('--data <dir>', 'data directory (EDGEREEL_DATA)')
      .option('--config <file>', 'configuration, YAML')
  service('up', 'agent and cloud on this machine', '在本机运行边缘代理和云端')
    .option('--port <n>', 'HTTP port')
    .option('--lan', 'listen on the network, not on this machine only')
    .option('--tls', 'by TLS, with a certificate of its own: /ca.pem is what browsers must trust')
    .option('--demo', 'with a simulated phone and a simulated IP camera')
    .action(async (options: UpOptions) => process.exit(await up(options)))
  service('agent', 'the agent alone', '仅运行边缘代理')
    .option('--port <n>', 'HTTP port')
    .option('--lan', 'listen on the network, not on this machine only')
    .option('--tls', 'by TLS, with a certificate of its own: /ca.pem is what browsers must trust')
    .action((options: UpOptions) => runModule('main.ts', optionWords(options)))
  const cloud = service('cloud', 'the local cloud alone', '仅运行本地云端').action(
    async ({ data, config }: UpOptions) =>
      runModule(
        '../cloud/local/main.ts',
        cloudArguments(resolve(dataDirectory(data)), await readConfig(config)),
      ),
  )
  cloud.enablePositionalOptions() // `--data` behind `rebuild` is that command's own.
  client(
    cloud,
    'rebuild',
    'makes the catalogue again from the objects of the archive',
    '由存档中的对象重建目录',
  ).action(served(rebuild))
  program
    .command('enroll <address>')
    .description(
      inLanguage({
        en: "makes this machine an agent of a cloud: 'URL#CODE'",
        zh: "将本机注册为云端的采集端：'URL#注册码'",
      }),
    )
    .option('--data <dir>', 'data directory (EDGEREEL_DATA)')
    .option('--json', 'one JSON value on stdout')
    .action((address: string, options: { data?: string; json?: boolean }) =>
      enroll(createOutput(options.json ?? false), address, options),
    )
  program
    .command('deploy')
    .description(inLanguage({ en: 'what a deployment to AWS needs, and how', zh: '部署到 AWS 的条件与步骤' }))
    .option('--arch <arch>', 'of the functions: arm64 or x86_64', 'arm64')
    .option('--ffmpeg <file>', 'a static Linux FFmpeg of that architecture')
    .option('--json', 'one JSON value on stdout')
    .action(async (options: DeployOptions & { json?: boolean }) =>
      process.exit(await deploy(createOutput(options.json ?? false), options)),
    )
  addServiceInstaller()
  service('doctor', 'looks at what this machine lacks', '检查本机缺少什么')
    .option('--fix', 'mend what can be mended')
    .option('--json', 'one JSON value on stdout')
    .action(async (options: DoctorOptions & { json?: boolean }) =>
      process.exit(await doctor(createOutput(options.json ?? false), options)),
    )
}

function addServiceInstaller(): void {
  const parent = program
    .command('service')
    .description(
      inLanguage({ en: 'edgereel up at every start of this machine', zh: '随系统启动运行 edgereel up' }),
    )
  const command = (usage: string, en: string, zh: string) =>
    parent
      .command(usage)
      .description(inLanguage({ en, zh }))
      .option('--data <dir>', 'data directory (EDGEREEL_DATA)')
      .option('--user <name>', 'with sudo: the account under which it runs')
      .option('--json', 'one JSON value on stdout')
  command('install', 'installs and starts it (systemd, launchd)', '安装并启动服务（systemd、launchd）')
    .option('--config <file>', 'configuration, YAML')
    .option('--port <n>', 'HTTP port')
    .option('--lan', 'listen on the network, not on this machine only')
    .option('--tls', 'by TLS, with a certificate of its own')
    .option('--sysctl', 'with sudo: bounds what the kernel holds for viewers that do not read')
    .option('--print', 'shows what would be installed')
    .action((options: ServiceOptions & { json?: boolean }) =>
      installService(createOutput(options.json ?? false), options),
    )
  command('uninstall', 'stops and removes it; the data stays', '停止并移除服务；数据保留').action(
    (options: ServiceOptions & { json?: boolean }) =>
      uninstallService(createOutput(options.json ?? false), options),
  )
}

/** Agent and cloud are processes of their own, also when they run alone: signals pass through to them. */
async function runModule(module: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../${module}`, import.meta.url)), ...args], {
    stdio: 'inherit',
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exit(code ?? 1)
}

function optionWords(options: UpOptions): string[] {
  return Object.entries(options).flatMap(([key, value]) =>
    value === true ? [`--${key}`] : [`--${key}`, String(value)],
  )
}

function addAgentCommands(): void {
  const record = program
    .command('record')
    .description(inLanguage({ en: 'starts and stops recordings', zh: '开始和停止录像' }))
  client(record, 'start <name...>', 'records one or more streams', '录制一个或多个流')
    .option('--from <time>', timeForms)
    .option('--for <seconds>', 'stops by itself')
    .option('--title <text>', 'of the recording')
    .option(
      '--require <names>',
      'starts nothing unless these give pictures: all, or names with commas between',
    )
    .action(served(recordStart))
  client(record, 'stop <id>', 'ends a recording', '结束录像').action(served(recordStop))
  client(record, 'report <id>', 'what came of it, stream by stream', '录像结果（按流）').action(
    served(recordReport),
  )
  client(program, 'snapshot <name>', 'a still, JPEG', '截图（JPEG）')
    .option('-o, --output <file>', 'where to; - is stdout')
    .option('--at <time>', `of the picture nearest to it: ${timeForms}`)
    .action(served(snapshot))
  const phones = program
    .command('phones')
    .description(inLanguage({ en: 'starts and stops all phones', zh: '开始和停止所有手机' }))
  client(
    phones,
    'start [words...]',
    'all phones: [w:h] [Mb] [fps]',
    '所有手机：[宽:高] [码率 Mb] [帧率]',
  ).action(served(phonesStart))
  client(phones, 'stop', 'all phones', '所有手机').action(served(phonesStop))
  client(program, 'streams', 'what is there now', '当前的流').action(served(streams))
  client(program, 'status', 'disk, upload, health', '磁盘、上传、健康状态').action(served(status))
  const token = program.command('token').description(inLanguage({ en: 'who may do what', zh: '访问权限' }))
  client(token, 'create <name>', 'a new token, shown once', '新令牌，仅显示一次')
    .option('--role <role>', 'viewer, publisher, operator or admin')
    .option('--stream <name>', 'good for this stream only')
    .option(
      '--enroll',
      'a line that makes another machine the agent <name> of this cloud, once, within 15 minutes',
    )
    .option('--aws', 'the first admin of a stack on AWS, by your own AWS credentials')
    .option('--table <name>', 'with --aws: the table of the stack, instead of cdk-outputs.json')
    .action(served(createToken))
  client(program, 'link <stream>', 'addresses that open a stream for a while', '在一段时间内打开流的地址')
    .option('--publish', 'to send it; else to watch it')
    .option('--for <seconds>', 'how long they are good', '3600')
    .action(served(createLink))
  client(token, 'ls', 'all tokens', '所有令牌').action(served(listTokens))
  client(token, 'revoke <id>', 'ends a token', '撤销令牌').action(served(revokeToken))
}

function addArchiveCommands(): void {
  client(program, 'ls', 'recordings, newest first', '录像列表，最新在前')
    .option('--stream <name>', 'only those of this stream')
    .option('--from <time>', `begun at or after: ${timeForms}`)
    .option('--to <time>', 'begun before')
    .option('--title <text>', 'with this in the title')
    .option('--label <text>', 'with this label')
    .option('--limit <n>', 'at most so many, 1 to 100')
    .action(
      served((server, output, options: ListOptions & ServerOptions & { json?: boolean }) =>
        list(server, output, options),
      ),
    )
  client(program, 'get <id>', 'downloads a recording', '下载录像')
    .option('-o, --output <file>', 'where to, of a recording with one file')
    .option('--stream <name>', 'only this one')
    .option('--format <format>', 'mp4, h264 (the raw stream) or csv (the time of every picture)', 'mp4')
    .action(served((server, output, id: string, options: GetOptions) => get(server, output, id, options)))
  client(program, 'share <id>', 'a link that can be revoked', '可撤销的分享链接')
    .option('--for <seconds>', 'how long it is good; 7 days if not given')
    .action(
      served((server, output, id: string, options: { for?: string }) => share(server, output, id, options)),
    )
  const dlq = program
    .command('dlq')
    .description(inLanguage({ en: 'messages of jobs that failed for ever', zh: '永久失败的任务消息' }))
  client(dlq, 'ls', 'all of them', '全部列出').action(served(listDeadLetters))
  client(dlq, 'redrive <queue> <id>', 'begins the job anew', '重新执行该任务').action(
    served(redriveDeadLetter),
  )
  client(program, 'beatsync <dance> <bgm>', 'puts music under a dance video, in time', '将音乐与舞蹈视频对齐')
    .option('-o, --output <dir>', 'where the results go', '.')
    .option(
      '--variant <name>',
      'modular or v2, else both; may be given twice',
      (name, before: string[] = []) => [...before, name],
    )
    .option('--exact', 'encodes the pictures again where the cut lies between key frames')
    .option('--priority <priority>', 'high, normal or low')
    .action(
      served((server, output, dance: string, bgm: string, options: BeatsyncOptions) =>
        beatsync(server, output, { dance, bgm }, options),
      ),
    )
  client(program, 'tasks [id]', 'work of the cloud', '云端任务')
    .option('--watch', 'until it ends')
    .action(
      served((server, output, id: string | undefined, options: { watch?: boolean }) =>
        tasks(server, output, id, options),
      ),
    )
}

function addSimulators(): void {
  const sim = program
    .command('sim')
    .description(inLanguage({ en: 'cameras that are not there', zh: '模拟摄像机' }))
  sim
    .command('phone')
    .description(
      inLanguage({
        en: 'a phone that plays a file or the built-in clip with its true times',
        zh: '按真实时间播放文件或内置片段的手机',
      }),
    )
    .option('--url <url>', 'address of /android-cam', 'ws://127.0.0.1:50001/android-cam')
    .option('--token <token>', 'publisher token')
    .option('--file <file>', '.mp4, .mov, .mkv, .264, .h264')
    .option('--clock <clock>', 'stamps since boot, or since 1970: boot or epoch', 'boot')
    .option('--fps <n>', 'of a .264 without times')
    .option('--model <name>', 'what it calls itself')
    .option('--count <n>', 'how many phones', '1')
    .option('--once', 'plays the file once as one capture, then ends')
    .action((options: SimOptions) => simulatePhone(options))
  sim
    .command('rtmp')
    .description(
      inLanguage({
        en: 'an encoder that pushes a file or the built-in clip',
        zh: '推送文件或内置片段的编码器',
      }),
    )
    .option('--url <url>', 'where to push', 'rtmp://127.0.0.1:1935/live/sim-rtmp')
    .option('--token <token>', 'publisher token')
    .option('--file <file>', '.flv, .mp4, .264, .h264')
    .option('--clock <clock>', 'stamps from 0, or since 1970: boot or epoch', 'boot')
    .option('--fps <n>', 'of a .264 without times')
    .option('--once', 'pushes the file once, then ends')
    .action((options: SimOptions) => simulateRtmp(options))
  sim
    .command('rtsp')
    .description(
      inLanguage({
        en: 'an IP camera that films a file or the built-in clip, over and over',
        zh: '循环播放文件或内置片段的网络摄像机',
      }),
    )
    .option('--port <n>', 'where it listens', '8554')
    .option('--stills-port <n>', 'where it answers for stills (ISAPI, CGI); the next port if not given')
    .option('--host <address>', 'its address', '127.0.0.1')
    .option('--user <name>', 'who may watch; without, everybody')
    .option('--password <text>', 'of that user')
    .option('--auth <how>', 'MD5, SHA-256 or Basic', 'MD5')
    .option('--file <file>', '.mp4, .264, .h264')
    .option('--clock <clock>', 'stamps since boot, or since 1970: boot or epoch', 'boot')
    .option('--fps <n>', 'of a .264 without times')
    .action((options: SimRtspOptions) => simulateRtsp(options))
  addVehicleSimulator(sim)
}

addServices()
addAgentCommands()
addArchiveCommands()
addSimulators()

if (language() === 'zh') translateHelp(program)
