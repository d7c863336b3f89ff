import type { Socket } from 'node:net'
import type { Clock } from '../../shared/node/clock.ts'
import {
  vehicleBytesPerSecondMax,
  vehicleReplaySilenceMs,
  vehicleSetupMs,
  vehicleSilenceMs,
} from '../../shared/vehicle-limits.ts'
import type { VehicleDoor, VehicleEnd } from '../ingest/vehicle.ts'
import type { VehicleIngest } from '../ingest/vehicle-ingest.ts'
import type { VehicleSession } from '../ingest/vehicle-session.ts'

export type VehicleConnectionNeeds = {
  door: VehicleDoor
  clock: Clock
  ingest: Pick<VehicleIngest, 'connect'>
  allows: (sim: string, address: string) => boolean
  onFault: (error: unknown) => void
  onClosed: (connection: VehicleConnection, reason: VehicleEnd) => void
}

const keepAliveMs = 10_000 // A vehicle in a tunnel whose history is paused is noticed by TCP.

/** One socket of a vehicle. Nothing is ever sent to it; whatever comes, it throws nothing. */
export class VehicleConnection {
  readonly address: string
  readonly connectedAtMs: number
  readonly #socket: Socket
  readonly #needs: VehicleConnectionNeeds
  readonly #session: VehicleSession
  readonly #openedMs: number
  #end: VehicleEnd | undefined
  #secondMs: number
  #bytesBefore = 0

  constructor(socket: Socket, needs: VehicleConnectionNeeds) {
    const { clock, ingest, door, allows } = needs
    this.#socket = socket
    this.#needs = needs
    this.address = (socket.remoteAddress ?? '').replace(/^::ffff:/i, '')
    this.connectedAtMs = clock.nowMs()
    this.#openedMs = this.#secondMs = clock.monotonicMs()
    const { address } = this
    this.#session = ingest.connect({ door, address, allows, close: (reason) => this.close(reason) })
    socket.setKeepAlive(true, keepAliveMs)
    socket.on('data', (bytes: Buffer) => this.#guard(() => this.#session.receive(bytes)))
    socket.on('end', () => this.close('peer'))
    socket.on('error', () => this.close('peer'))
    socket.on('close', () => this.close('peer'))
  }

  /** Undefined before the first packet. */
  get sim(): string | undefined {
    return this.#session.sim
  }

  get heldBytes(): number {
    return this.#session.heldBytes
  }

  /** Looks at the clock; to be called every `vehicleTickMs`. */
  tick(nowMs: number): void {
    this.#guard(() => this.#session.tick(nowMs))
    if (nowMs - this.#secondMs < 1000) return
    const { door } = this.#needs
    const bytes = this.#socket.bytesRead - this.#bytesBefore
    const seconds = (nowMs - this.#secondMs) / 1000
    this.#secondMs = nowMs
    this.#bytesBefore = this.#socket.bytesRead
    const silenceMs = door === 'live' ? vehicleSilenceMs : vehicleReplaySilenceMs
    if (bytes / seconds > vehicleBytesPerSecondMax) this.close('flood')
    else if (this.sim === undefined && nowMs - this.#openedMs > vehicleSetupMs) this.close('idle')
    else if (this.sim !== undefined && nowMs - this.#session.takenMs > silenceMs) this.close('silent')
  }

  close(reason: VehicleEnd): void {
    if (this.#end) return
    this.#end = reason
    try {
      this.#session.ended(reason)
    } catch (error) {
      this.#needs.onFault(error)
    }
    this.#socket.destroy()
    this.#needs.onClosed(this, reason)
  }

  #guard(call: () => void): void {
    try {
      if (!this.#end) call()
    } catch (error) {
      this.#needs.onFault(error)
      this.close('fault')
    }
  }
}
