import type { Command } from 'commander'
import { createLog } from '../../shared/node/log.ts'
import { stopSignal } from '../../shared/node/stop-signal.ts'
import { type SimVehicleKind, simOf, simVehicle } from '../sim/vehicle.ts'
import { simPlatform } from '../sim/vehicle-platform.ts'
import type { ResourceItem } from '../sim/vehicle-resources.ts'
import { findServer, type ServerOptions } from './server.ts'
import { failure, inLanguage } from './words.ts'

type SimVehicleOptions = Pick<ServerOptions, 'data' | 'api' | 'token'> & {
  to: string
  sim: string
  count: string
  channels: string
  version: string
  file?: string
  fps?: string
  sound: string
  clock: string
  body: string
  loss: string
  reconnect?: string
  once?: boolean
  redis?: string
  delay: string
}

const vehiclesMax = 500 // One PC's worth: a load test, not an attack.

/** `edgereel sim vehicle`: vehicles that send live, or, with `--redis`, a platform whose vehicles do as they are told. */
export function addVehicleSimulator(sim: Command): void {
  sim
    .command('vehicle')
    .description(
      inLanguage({
        en: 'vehicles of JT/T 1078 that send a file or the built-in clip, by themselves or as commands in Redis say',
        zh: '按 JT/T 1078 发送文件或内置片段的车辆，自动发送或按 Redis 中的指令发送',
      }),
    )
    .option('--to <host:port>', 'where to', '127.0.0.1:9501')
    .option('--sim <digits>', 'SIM of the first vehicle', '013912345678')
    .option('--count <n>', 'how many vehicles; their SIMs count up', '1')
    .option('--channels <n>', 'of each vehicle', '1')
    .option('--version <year>', '2016 or 2019', '2016')
    .option('--file <file>', '.mp4, .h264, .h265')
    .option('--fps <n>', 'of a file without times')
    .option('--sound <codec>', 'g711a, g711u or none', 'g711a')
    .option('--clock <clock>', 'stamps since boot, or since 1970: boot or epoch', 'boot')
    .option('--body <bytes>', 'most that one packet holds', '950')
    .option('--loss <percent>', 'of the packets', '0')
    .option('--reconnect <seconds>', 'breaks each connection so often')
    .option('--once', 'sends the file once, then ends')
    .option('--redis <url>', 'waits for commands there instead')
    .option('--delay <ms>', 'from a command to the connection', '50')
    .option('--api <url>', 'with --redis: the edgereel that is told what vehicles hold (EDGEREEL_API)')
    .option('--token <token>', 'an operator’s token (EDGEREEL_TOKEN)')
    .option('--data <dir>', 'or the data directory of one on this machine')
    .action(simulateVehicle)
}

async function simulateVehicle(options: SimVehicleOptions): Promise<void> {
  const kind = kindOf(options)
  const count = number(options.count, '--count', 1, vehiclesMax)
  const log = createLog('sim')
  const common = { ...kind, signal: stopSignal(), log: (message: string) => log.info(message) }
  if (options.redis !== undefined) {
    const delayMs = number(options.delay, '--delay', 0, 60_000)
    const onResources = async (channel: string, items: ResourceItem[]) => {
      const taken = await passOn(options, channel, items)
      log.info(`${channel} holds ${items.length} files${taken ? '' : ': nobody waits for it any more'}`)
    }
    await simPlatform({ ...common, redis: options.redis, delayMs, onResources })
    return
  }
  const sims = Array.from({ length: count }, (_, i) => nextSim(options.sim, i, kind.version))
  const channels = number(options.channels, '--channels', 1, 64)
  await simVehicle({ ...common, ...addressOf(options.to), sims, channels, once: options.once ?? false })
}

/** As a platform of JT/T 808 passes on a vehicle's 1205. False when nobody waits for it. */
async function passOn(options: ServerOptions, channel: string, items: ResourceItem[]): Promise<boolean> {
  const server = await findServer(options)
  const path = `/agent/v1/vehicles/${channel}/history/resources`
  return (await server.call<{ taken: boolean }>('POST', path, { items })).taken
}

function kindOf(options: SimVehicleOptions): SimVehicleKind {
  const { version, sound, clock, file, fps, reconnect } = options
  return {
    version: one(version, '--version', { 2016: 2016, 2019: 2019 }),
    sound: one(sound, '--sound', { g711a: 'g711a', g711u: 'g711u', none: 'none' }),
    clock: one(clock, '--clock', { boot: 'boot', epoch: 'epoch' }),
    bodyBytes: number(options.body, '--body', 1, 65_535),
    loss: number(options.loss, '--loss', 0, 100) / 100,
    ...(file === undefined ? {} : { file }),
    ...(fps === undefined ? {} : { fps: number(fps, '--fps', 1, 240) }),
    ...(reconnect === undefined ? {} : { reconnectSeconds: number(reconnect, '--reconnect', 1, 86_400) }),
  }
}

/** Counting up from the first one, in its own digits. */
function nextSim(first: string, i: number, version: 2016 | 2019): string {
  if (i === 0) return simOf(first, version)
  if (/^\d+$/.test(first)) return simOf(String(BigInt(first) + BigInt(i)), version)
  throw failure('InvalidArgument', {
    en: '--sim must be all digits for more than one vehicle',
    zh: '多辆车时 --sim 只能是数字',
  })
}

function addressOf(text: string): { host: string; port: number } {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (host !== undefined && port !== undefined)
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  throw failure('InvalidArgument', { en: '--to is host:port', zh: '--to 应为 主机:端口' })
}

function one<T>(text: string, option: string, values: Readonly<Record<string, T>>): T {
  const value = Object.hasOwn(values, text) ? values[text] : undefined
  if (value !== undefined) return value
  const known = Object.keys(values)
  throw failure('InvalidArgument', {
    en: `${option} is ${known.join(' or ')}`,
    zh: `${option} 只能是 ${known.join(' 或 ')}`,
  })
}

function number(text: string, option: string, min: number, max: number): number {
  const value = Number(text)
  if (text !== '' && value >= min && value <= max && (Number.isInteger(value) || option === '--loss'))
    return value
  throw failure('InvalidArgument', {
    en: `${option} is a number from ${min} to ${max}`,
    zh: `${option} 应为 ${min} 到 ${max} 的数`,
  })
}
