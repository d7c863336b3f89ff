import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import {
  vehicleCallsMax,
  vehicleHangUpMs,
  vehicleLingerMs,
  vehicleRepeatMs,
  vehicleRepeatMsMax,
} from '../../shared/vehicle-limits.ts'
import { Demand } from '../hub/demand.ts'
import { parseVehicleStream, type VehicleDoor, type Vehicles } from './vehicle.ts'
import type { PushedCommand } from './vehicle-command-queue.ts'
import type { VehicleAddress, VehicleCommand } from './vehicle-command-words.ts'

export type CallsOptions = {
  clock: Clock
  vehicles: Pick<Vehicles, 'channel' | 'onConnected' | 'onDisconnected' | 'end'>
  /** Absent where nobody is told: vehicles come by themselves. */
  push?: (command: VehicleCommand) => PushedCommand
  /** Of a live channel, to begin; a history is begun by a request of its own. */
  open: (vehicle: VehicleAddress, door: VehicleDoor) => VehicleCommand | undefined
  close: (vehicle: VehicleAddress, door: VehicleDoor) => VehicleCommand
  /** Nobody wants this channel any more. */
  onOver?: (stream: string) => void
  lingerMs?: number
}

/** How somebody wants a channel. */
export type CallHolder = {
  /** False for those who call the vehicle themselves: the web server on an inner port, SRS. */
  calls: boolean
}

export type CallInfo = {
  stream: string
  /** Who wants it now, and how many of them leave the calling to us. */
  holders: number
  callers: number
  connected: boolean
  /** It was told to open, and not yet to close. */
  opened: boolean
  /** Open commands that were repeated since it is wanted. */
  repeats: number
}

/**
 * The channels of vehicles that somebody wants. The first one who leaves the calling to us has the vehicle told to
 * open, the last one of all to go has it told to close, once each; each holds by an object of its own.
 *
 * Invariant: a channel that was opened is closed once, when nobody wants it any more, and not before: also not while
 * only those are left who call for themselves.
 */
export class VehicleCalls implements Disposable {
  readonly #options: CallsOptions
  readonly #calls = new Map<string, Call>()
  readonly #pins = new Map<string, Disposable>()
  readonly #listening: (() => void)[]
  readonly #stop = new AbortController()

  constructor(options: CallsOptions) {
    this.#options = options
    const { vehicles } = options
    this.#listening = [
      vehicles.onConnected(({ stream }) => this.#calls.get(stream.toLowerCase())?.connected()),
      vehicles.onDisconnected(({ stream }) => this.#calls.get(stream.toLowerCase())?.disconnected()),
    ]
  }

  /** `InvalidArgument` for a name that is none of a vehicle's stream, `ResourceExhausted` when too many are wanted. */
  hold(stream: string, holder: CallHolder): Disposable {
    const call = this.#calls.get(stream.toLowerCase()) ?? this.#add(stream)
    return call.hold(holder)
  }

  /** Wanted for this reason, until it is taken back. Nothing happens for names of other streams. */
  setWanted(stream: string, reason: 'watched' | 'recorded' | 'always', wanted: boolean): void {
    const vehicle = parseVehicleStream(stream)
    if (!vehicle) return
    const key = `${reason} ${stream.toLowerCase()}`
    const held = this.#pins.get(key)
    if (wanted && !held) this.#pins.set(key, this.hold(stream, { calls: true }))
    if (wanted || !held) return
    this.#pins.delete(key)
    held[Symbol.dispose]()
  }

  list(): CallInfo[] {
    return Array.from(this.#calls.values(), ({ info }) => info)
  }

  /** Whatever was opened is told to close. */
  [Symbol.dispose](): void {
    this.#stop.abort()
    for (const stop of this.#listening) stop()
    for (const call of [...this.#calls.values()]) call[Symbol.dispose]()
    this.#pins.clear()
  }

  #add(stream: string): Call {
    const vehicle = parseVehicleStream(stream)
    if (!vehicle) {
      throw new AppError('InvalidArgument', 'this is no name of a vehicle’s stream: SIM and channel in hex', {
        zh: '这不是车辆流的名称：应为 SIM 卡号加通道号（十六进制）。',
      })
    }
    if (this.#calls.size >= vehicleCallsMax) {
      throw new AppError(
        'ResourceExhausted',
        `${vehicleCallsMax} channels of vehicles are wanted, no more fit`,
        {
          zh: `已请求 ${vehicleCallsMax} 个车辆通道，无法再增加。`,
        },
      )
    }
    const name = stream.toLowerCase()
    const address = { stream: name, sim: vehicle.sim, channel: vehicle.channel }
    const call = new Call(this.#options, address, vehicle.door, (wasOpened) => {
      this.#calls.delete(name)
      if (wasOpened) this.#hangUpLater(name)
      this.#options.onOver?.(name)
    })
    this.#calls.set(name, call)
    return call
  }

  /** A vehicle that goes on all the same, or could not be told. */
  #hangUpLater(stream: string): void {
    const { clock, vehicles } = this.#options
    if (!vehicles.channel(stream)) return
    clock.sleep(vehicleHangUpMs, this.#stop.signal).then(
      () => {
        if (!this.#calls.has(stream)) vehicles.end(stream, 'unwanted')
      },
      () => undefined, // The agent stops, and hangs up for all of them.
    )
  }
}

/** One channel, while it is wanted. */
class Call implements Disposable {
  readonly #options: CallsOptions
  readonly #address: VehicleAddress
  readonly #door: VehicleDoor
  readonly #demand: Demand
  #callers = 0
  #opened = false
  #repeats = 0
  #last: PushedCommand | undefined
  #repeating: AbortController | undefined

  constructor(
    options: CallsOptions,
    address: VehicleAddress,
    door: VehicleDoor,
    onOver: (wasOpened: boolean) => void,
  ) {
    const { clock, lingerMs = vehicleLingerMs } = options
    this.#options = options
    this.#address = address
    this.#door = door
    this.#demand = new Demand({
      ...{ clock, lingerMs },
      onWanted: () => undefined, // Who wants it says whether it is to be called.
      onUnwanted: () => onOver(this.#close()),
    })
  }

  get info(): CallInfo {
    return {
      stream: this.#address.stream,
      holders: this.#demand.count,
      callers: this.#callers,
      connected: this.#isConnected,
      opened: this.#opened,
      repeats: this.#repeats,
    }
  }

  hold({ calls }: CallHolder): Disposable {
    const others = this.#demand.count - this.#callers
    const held = this.#demand.hold()
    if (!calls) return held
    this.#callers += 1
    if (this.#callers === 1) this.#called(others)
    let left = false
    return {
      [Symbol.dispose]: () => {
        if (left) return
        left = true
        this.#callers -= 1
        held[Symbol.dispose]()
      },
    }
  }

  connected(): void {
    this.#stopRepeating()
  }

  disconnected(): void {
    if (this.#callers === 0) return
    this.#stopRepeating()
    if (this.#opened) this.#repeatLater()
    else this.#open()
  }

  [Symbol.dispose](): void {
    this.#demand[Symbol.dispose]()
  }

  get #isConnected(): boolean {
    return this.#options.vehicles.channel(this.#address.stream) !== undefined
  }

  /** `others`: who want it already and call for themselves. */
  #called(others: number): void {
    if (this.#opened) {
      if (!this.#isConnected) this.#repeatLater()
      return
    }
    // It sends for those who have called it: told once more, it would begin anew, and disturb them.
    if (others > 0 && this.#isConnected) return
    this.#open()
  }

  #open(): void {
    this.#opened = true
    this.#repeats = 0
    this.#say(this.#options.open(this.#address, this.#door))
    this.#repeatLater()
  }

  #close(): boolean {
    this.#stopRepeating()
    if (!this.#opened) return false
    this.#opened = false
    this.#say(this.#options.close(this.#address, this.#door))
    return true
  }

  #say(command: VehicleCommand | undefined): void {
    this.#last = command && this.#options.push?.(command)
  }

  #repeatLater(): void {
    if (this.#repeating) return // Somebody who comes and goes must not put it off for ever.
    const repeating = new AbortController()
    this.#repeating = repeating
    this.#repeat(repeating.signal).catch(() => undefined) // It has come, or nobody wants it any more.
  }

  async #repeat(signal: AbortSignal): Promise<void> {
    for (let pauseMs = vehicleRepeatMs; ; pauseMs = Math.min(pauseMs * 2, vehicleRepeatMsMax)) {
      await this.#options.clock.sleep(pauseMs, signal)
      if (this.#callers === 0 || this.#isConnected || this.#last?.waiting) continue
      const command = this.#options.open(this.#address, this.#door)
      if (!command) return
      this.#repeats += 1
      this.#say(command)
    }
  }

  #stopRepeating(): void {
    this.#repeating?.abort()
    this.#repeating = undefined
  }
}
