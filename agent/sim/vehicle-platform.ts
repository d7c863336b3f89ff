import { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import { deviceId } from '../protocol/jt1078.ts'
import { liveChannel, type SimVehicleKind, simOf } from './vehicle.ts'
import { loadVehicleFootage, type VehicleFootage } from './vehicle-footage.ts'
import { type HistoryControl, SimHistory } from './vehicle-history.ts'
import { VehicleLine } from './vehicle-line.ts'
import { heldFiles, type ResourceItem, timeOf } from './vehicle-resources.ts'

export type SimPlatformOptions = SimVehicleKind & {
  redis: string
  /** The list that it reads; the seed's otherwise. */
  key?: string
  /** Its vehicles; any that is asked for otherwise. */
  sims?: readonly string[]
  /** From a command to the vehicle's connection. */
  delayMs?: number
  signal: AbortSignal
  log?: (message: string) => void
  time?: Clock
  /** Passes a vehicle's list (1205) on to who asked for it (9205); without it nobody is answered. */
  onResources?: (channel: string, items: ResourceItem[]) => Promise<void>
  /** What it was told, for those who check it. */
  onCommand?: (command: PlatformCommand) => void
}

const digits = z.string().regex(/^\d{1,5}$/)
const dateTime = z.string().regex(/^\d{12}$/)

/** PROTOCOLS.md, 9: values are strings; of 9201 and 9202 the fields that the standard has (2). */
const commandSchema = z.object({
  commandId: z.string(),
  iccid: z.string().regex(/^[0-9a-f]{1,20}$/i),
  channelNo: digits,
  ip: z.string().optional(),
  port: digits.optional(),
  startTime: dateTime.optional(),
  endTime: dateTime.optional(),
  control: digits.optional(),
  speed: digits.optional(),
  time: dateTime.optional(),
})
export type PlatformCommand = z.infer<typeof commandSchema>

/** A platform of JT/T 808 with its vehicles: it does what commands in a Redis list say. Resolves when aborted. */
export async function simPlatform(options: SimPlatformOptions): Promise<void> {
  const { signal, log = () => undefined, key = 'EXTERNAL_COMMAND', time = systemClock } = options
  const footage = await loadVehicleFootage(options.file, options)
  const platform = new Platform(options, footage)
  const { createClient } = await import('@redis/client')
  const client = createClient({ url: options.redis })
  client.on('error', (cause) => log(`Redis: ${AppError.from(cause).message}`))
  const hangUp = () => client.destroy()
  try {
    await client.connect()
    if (signal.aborted) hangUp()
    else signal.addEventListener('abort', hangUp, { once: true })
    log(`waits for commands in ${key}`)
    while (!signal.aborted) {
      const said = await client.blPop(key, 0).catch(() => time.sleep(retryMs, signal))
      if (said) platform.take(said.element)
    }
  } catch (cause) {
    if (!signal.aborted)
      throw new AppError('Unavailable', 'Redis cannot be reached', { cause, zh: '无法连接 Redis。' })
  } finally {
    platform[Symbol.dispose]()
  }
}

type Playing = { stop: AbortController; history?: SimHistory; done: Promise<void> }

/** What its vehicles do, by SIM, channel and kind. */
class Platform implements Disposable {
  readonly #options: SimPlatformOptions
  readonly #footage: VehicleFootage
  readonly #playing = new Map<string, Playing>()

  constructor(options: SimPlatformOptions, footage: VehicleFootage) {
    this.#options = options
    this.#footage = footage
  }

  /** Words that it does not know it passes over, as platforms do. */
  take(text: string): void {
    const { log = () => undefined, onCommand, sims, version } = this.#options
    const command = readCommand(text)
    if (!command) {
      log('a command that is none')
      return
    }
    onCommand?.(command)
    const { commandId, iccid, channelNo } = command
    log(`${commandId} for ${iccid}, channel ${channelNo}`)
    const isOurs = sims?.some((sim) => simOf(sim, version) === simOf(iccid, version)) ?? true
    if (!isOurs) log(`${iccid} is no vehicle of this platform`)
    else if (commandId === '9101') this.#open(command, 'live')
    else if (commandId === '9102') this.#close(command, 'live')
    else if (commandId === '9201') this.#open(command, 'history')
    else if (commandId === '9202') this.#control(command)
    else if (commandId === '9205') this.#list(command).catch((cause) => log(AppError.from(cause).message))
  }

  [Symbol.dispose](): void {
    for (const { stop } of this.#playing.values()) stop.abort()
  }

  /** A vehicle that is told again while it is connected stays as it is. */
  #open(command: PlatformCommand, kind: 'live' | 'history'): void {
    const key = keyOf(command, kind)
    const { ip: host, port } = command
    if (host === undefined || port === undefined) return
    if (kind === 'history') this.#close(command, kind)
    else if (this.#playing.has(key)) return
    const stop = new AbortController()
    const history = kind === 'history' ? this.#historyOf(command) : undefined
    const to = { host, port: Number(port), ...vehicleOf(command, this.#options.version) }
    const playing: Playing = { stop, ...(history && { history }), done: this.#play(to, stop.signal, history) }
    this.#playing.set(key, playing)
    playing.done.finally(() => {
      if (this.#playing.get(key) === playing) this.#playing.delete(key)
    })
  }

  #close(command: PlatformCommand, kind: 'live' | 'history'): void {
    const key = keyOf(command, kind)
    this.#playing.get(key)?.stop.abort()
    this.#playing.delete(key)
  }

  #control(command: PlatformCommand): void {
    const control = controlOf(command)
    const playing = this.#playing.get(keyOf(command, 'history'))
    if (control.kind === 'end') this.#close(command, 'history')
    else playing?.history?.control(control)
  }

  /** The vehicle answers, and the platform passes it on. */
  async #list({ iccid, channelNo, startTime = '', endTime = '' }: PlatformCommand): Promise<void> {
    const { onResources, delayMs = 0, signal, time = systemClock } = this.#options
    if (!onResources) return
    if (delayMs > 0) await time.sleep(delayMs, signal)
    const range = { fromMs: timeOf(startTime), toMs: timeOf(endTime) }
    const channel = deviceId({ sim: iccid, channel: Number(channelNo) })
    await onResources(channel, heldFiles(range, this.#footage))
  }

  #historyOf({ startTime = '', endTime = '', speed = '0' }: PlatformCommand): SimHistory {
    const { time = systemClock, clock } = this.#options
    const range = { fromMs: timeOf(startTime), toMs: timeOf(endTime) }
    const stampMs = clock === 'epoch' ? range.fromMs : bootedMs
    return new SimHistory(this.#footage, range, { time, stampMs, speed: speedOf(speed) })
  }

  /** Never rejects. */
  async #play(
    to: { host: string; port: number; sim: string; channel: number },
    stop: AbortSignal,
    history: SimHistory | undefined,
  ): Promise<void> {
    const { delayMs = 0, log = () => undefined, time = systemClock } = this.#options
    const signal = AbortSignal.any([stop, this.#options.signal])
    try {
      if (delayMs > 0) await time.sleep(delayMs, signal)
      if (!history) return await liveChannel({ ...this.#options, ...to, once: false, signal }, this.#footage)
      using line = await VehicleLine.connect(
        { ...this.#options, ...to },
        { sequence: 0, packets: 0, lost: 0 },
      )
      await history.play(line, signal)
    } catch (cause) {
      if (!signal.aborted) log(AppError.from(cause).message)
    }
  }
}

const bootedMs = 3_600_000
const retryMs = 500 // Redis was restarted.

function readCommand(text: string): PlatformCommand | undefined {
  try {
    return commandSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

function vehicleOf({ iccid, channelNo }: PlatformCommand, version: 2016 | 2019) {
  return { sim: simOf(iccid, version), channel: Number(channelNo) }
}

function keyOf({ iccid, channelNo }: PlatformCommand, kind: string): string {
  return `${kind} ${iccid.toLowerCase().replace(/^0+/, '')} ${Number(channelNo)}`
}

/** 9201 and 9202: 0 none, 1 … 5 for 1, 2, 4, 8 and 16 times. */
function speedOf(code: string): number {
  return 2 ** Math.max(0, Math.min(Number(code), 5) - 1)
}

/** 9202 without a control is the seed's end of a history. */
function controlOf({ control = '2', speed = '0', time = '' }: PlatformCommand): HistoryControl {
  switch (control) {
    case '0':
      return { kind: 'resume' }
    case '1':
      return { kind: 'pause' }
    case '3':
      return { kind: 'fast', speed: speedOf(speed) }
    case '4':
      return { kind: 'back', speed: speedOf(speed) }
    case '5':
      return { kind: 'seek', toMs: timeOf(time) }
    case '6':
      return { kind: 'keyFrames' }
    default:
      return { kind: 'end' }
  }
}
