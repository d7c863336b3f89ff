import { AppError } from '../../shared/error.ts'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import { deviceId } from '../protocol/jt1078.ts'
import { loadVehicleFootage, type VehicleFootage, type VehicleSoundKind } from './vehicle-footage.ts'
import { type VehicleCounters, VehicleLine, type VehicleLineOptions } from './vehicle-line.ts'

/** What a simulated vehicle is. */
export type SimVehicleKind = {
  version: 2016 | 2019
  /** .mp4, H.264 or H.265; the built-in clip otherwise. */
  file?: string
  /** Pictures a second of a file that has no times. */
  fps?: number
  sound: VehicleSoundKind
  /** What its stamps count from; `boot`: an hour, so that nothing works only because they are dates. */
  clock: 'boot' | 'epoch'
  bodyBytes?: number
  /** Share of packets that do not leave. */
  loss?: number
  /** Every so many seconds a connection breaks, and comes back after one. */
  reconnectSeconds?: number
  random?: () => number
}

export type SimVehicleOptions = SimVehicleKind & {
  host: string
  port: number
  /** As written on the vehicle; each has `channels` channels. */
  sims: readonly string[]
  channels: number
  once?: boolean
  signal: AbortSignal
  log?: (message: string) => void
  time?: Clock
}

const retryMs = 1000
const bootedMs = 3_600_000

/** Vehicles that send live, whoever asks. Resolves when aborted, or with `once` when each has sent its file. */
export async function simVehicle(options: SimVehicleOptions): Promise<void> {
  const { sims, channels, version } = options
  const footage = await loadVehicleFootage(options.file, options)
  const lines = sims.flatMap((sim) =>
    Array.from({ length: channels }, (_, i) =>
      liveChannel({ ...options, sim: simOf(sim, version), channel: i + 1 }, footage),
    ),
  )
  await Promise.all(lines)
}

export type LiveChannelOptions = SimVehicleKind &
  Pick<VehicleLineOptions, 'host' | 'port' | 'sim' | 'channel'> &
  Pick<SimVehicleOptions, 'once' | 'signal' | 'log' | 'time'>

/** One channel, connected until aborted; its film goes on while it is not. */
export async function liveChannel(options: LiveChannelOptions, footage: VehicleFootage): Promise<void> {
  const { signal, log = () => undefined, time = systemClock } = options
  const counters: VehicleCounters = { sequence: 0, packets: 0, lost: 0 }
  const name = deviceId(options)
  let zero: Zero | undefined
  while (!signal.aborted) {
    try {
      using line = await VehicleLine.connect(options, counters)
      zero ??= {
        startedMs: time.monotonicMs(),
        stampMs: options.clock === 'epoch' ? time.nowMs() : bootedMs,
      }
      log(`${name} sends`)
      await film(line, footage, zero, options)
      return
    } catch (cause) {
      if (signal.aborted) break
      log(`${name}: ${AppError.from(cause).message}, trying again`)
    }
    await time.sleep(retryMs, signal).catch(() => undefined)
  }
}

type Zero = { startedMs: number; stampMs: number }

const lateMs = 20 // What was to be sent before this connection was there is not sent.

/** From the next key frame on, round after round, each frame at its time. Resolves with `once`, behind the first round. */
async function film(
  line: VehicleLine,
  { frames, durationMs }: VehicleFootage,
  zero: Zero,
  options: LiveChannelOptions,
): Promise<void> {
  const { time = systemClock, signal, reconnectSeconds = Number.POSITIVE_INFINITY } = options
  const either = AbortSignal.any([signal, line.closed])
  const begunMs = time.monotonicMs()
  let hasKey = false
  for (
    let round = Math.floor((begunMs - zero.startedMs) / durationMs);
    !options.once || round === 0;
    round += 1
  ) {
    for (const frame of frames) {
      const dueMs = zero.startedMs + round * durationMs + frame.atMs
      if (dueMs < begunMs - lateMs) continue
      const waitMs = dueMs - time.monotonicMs()
      if (waitMs > 0) await time.sleep(waitMs, either)
      either.throwIfAborted()
      if (time.monotonicMs() - begunMs > reconnectSeconds * 1000)
        throw new AppError('Unavailable', 'the network was lost, as asked')
      hasKey ||= frame.dataType === 0
      if (hasKey) await line.send(frame, zero.stampMs + round * durationMs + frame.stampMs)
    }
  }
}

/** Behind so many zeros as its version has digits. `InvalidArgument` for one that is too long. */
export function simOf(sim: string, version: 2016 | 2019): string {
  const digits = version === 2016 ? 12 : 20
  const bare = sim.toLowerCase().replace(/^0+/, '')
  if (/^[0-9a-f]*$/.test(bare) && bare.length <= digits) return bare.padStart(digits, '0')
  throw new AppError('InvalidArgument', `A SIM has up to ${digits} digits.`, {
    zh: `SIM 卡号最多 ${digits} 位。`,
  })
}
