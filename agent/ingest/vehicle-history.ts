import type { Recording } from '../../shared/contract/recording.ts'
import type { Gap } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { WallOffset } from '../../shared/media/clock-offset.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { historyListsMax } from '../../shared/vehicle-limits.ts'
import type { PublishHub } from './rtmp.ts'
import { parseVehicleStream, type Vehicles } from './vehicle.ts'
import {
  closeHistory,
  openHistory,
  type PublicAddress,
  queryHistory,
  type VehicleAddress,
  type VehicleCommand,
} from './vehicle-command-words.ts'
import { type HistoryItem, HistoryLists, type TimeRange } from './vehicle-history-lists.ts'
import {
  addressOf,
  checkedRange,
  checkPlace,
  controlCommand,
  type HistoryAction,
  heldPart,
  historyChannelOf,
  isOver,
  isRecorded,
} from './vehicle-history-request.ts'
import { type HistoryEnd, HistorySession, type HistoryState } from './vehicle-history-session.ts'
import { toVehicleTime } from './vehicle-history-time.ts'

/** What a recording of history needs of those that keep it. */
export type HistoryKeeper = {
  begin(request: { streams: string[]; from: number; session: true; title?: string; labels?: string[] }): {
    id: string
    saved: Promise<Recording>
  }
  endStream(id: string, stream: string, end: { to: number }): Promise<void>
  setWallOffset(stream: string, offset: WallOffset): void
  /** Nothing of the stream is kept unless it is recorded. */
  keepNothing(stream: string): void
  addGap(stream: string, gap: Gap): void
  /** The stream is over, and its name is not used again. */
  forget(stream: string): void
}

export type HistoryOptions = {
  clock: Clock
  hub: PublishHub
  vehicles: Pick<Vehicles, 'end' | 'channel'>
  /** Absent where none are configured. */
  commands?: { push(command: VehicleCommand): unknown; place: PublicAddress }
  /** Ms that a vehicle's clock is ahead of UTC. */
  zoneOf: (sim: string) => number
  keeper: HistoryKeeper
  onEvent: (event: { type: 'played' | 'over'; stream: string; reason?: HistoryEnd }) => void
  onFault: (message: string, error: unknown) => void
}

export type PlayRequest = TimeRange & { record: boolean; title?: string; labels?: string[] }

export type HistoryInfo = TimeRange & {
  vehicle: string
  /** By which it is watched. */
  stream: string
  state: HistoryState
  /** Wall ms of the vehicle. */
  position: number
  recording?: string
  end?: HistoryEnd
}

type Entry = {
  address: VehicleAddress
  stream: string
  session: HistorySession
  recording: string | undefined
}

const tickMs = 1000

/**
 * What vehicles have recorded, played as streams of their own: `replay-<device id>-<when it was asked for>`. A
 * vehicle plays one range of a channel at a time.
 */
export class VehicleHistory implements AsyncDisposable {
  /** For what comes to the history port: a range that was asked for here has its own stream, all else the vehicle's. */
  readonly hub: PublishHub
  readonly lists: HistoryLists
  readonly #options: HistoryOptions
  /** By device id; what is over stays until it is replaced, so that one may ask why. */
  readonly #entries = new Map<string, Entry>()
  readonly #closing = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  #isTicking = false

  constructor(options: HistoryOptions) {
    this.#options = options
    this.lists = new HistoryLists(options.clock)
    this.hub = { publish: (request) => this.#publish(request) }
  }

  list(): HistoryInfo[] {
    return Array.from(this.#entries, ([device, entry]) => infoOf(device, entry))
  }

  /** `NotFound` when nothing was played of it. */
  get(vehicle: string): HistoryInfo {
    const { device, entry } = this.#known(vehicle)
    return infoOf(device, entry)
  }

  /** What the vehicle holds. `DeadlineExceeded` when no answer is passed back. */
  async query(vehicle: string, range: TimeRange): Promise<readonly HistoryItem[]> {
    const { device, address } = addressOf(vehicle)
    this.#mayAsk()
    const asked = checkedRange(range, this.#options.clock.nowMs())
    return await this.lists.query(device, asked, () =>
      this.#say(queryHistory(address, this.#times(address, asked))),
    )
  }

  /** Has it played. With `record` it is answered when the claim is durable. */
  async play(vehicle: string, { record, title, labels, ...asked }: PlayRequest): Promise<HistoryInfo> {
    const { device, address } = addressOf(vehicle)
    const { keeper, clock, onEvent } = this.#options
    this.#mayAsk()
    const checked = checkedRange(asked, clock.nowMs())
    const range = heldPart(checked, this.lists.known(device, checked))
    this.#replace(device)
    const stream = this.#freshName(address.stream)
    const about = { ...(title === undefined ? {} : { title }), ...(labels ? { labels } : {}) }
    keeper.keepNothing(stream)
    const claim = record
      ? keeper.begin({ streams: [stream], from: range.from, session: true, ...about })
      : undefined
    const entry = this.#enter(device, { address, stream, range, recording: claim?.id })
    await claim?.saved.catch((error) => {
      entry.session.finish('stopped')
      throw error
    })
    if (entry.session.state !== 'over') this.#ask(address, range)
    onEvent({ type: 'played', stream })
    return infoOf(device, entry)
  }

  /** `FailedPrecondition` for what would make the times of a recording untrue, and when it is over. */
  control(vehicle: string, action: HistoryAction): HistoryInfo {
    const { device, entry } = this.#known(vehicle)
    const { session } = entry
    if (session.state === 'over') throw isOver()
    if (action.action === 'stop') session.finish('stopped')
    else if (session.isRecorded) throw isRecorded()
    else this.#control(entry, action)
    return infoOf(device, entry)
  }

  /** Whether this stream shows a range that was asked for here, now or as soon as its vehicle comes. */
  shows(stream: string): boolean {
    const entry = this.#byStream(stream)
    return entry !== undefined && entry.session.state !== 'over'
  }

  /** The recording that this stream goes into, with the vehicle's own times. */
  recordingOf(stream: string): string | undefined {
    return this.shows(stream) ? this.#byStream(stream)?.recording : undefined
  }

  /** Of the stream of a range that was asked for here; nothing happens for others. */
  setWatched(stream: string, viewers: number): void {
    const entry = this.#byStream(stream)
    if (entry) entry.session.watchers = viewers
  }

  /** A recording was stopped: its vehicle need not go on. */
  recordingStopped(id: string): void {
    for (const { recording, session } of this.#entries.values())
      if (recording === id) session.finish('stopped')
  }

  /** The stream that shows the history of a channel now. */
  streamOf(channel: string): string {
    const device = channel.replace(/^replay-/, '')
    const entry = this.#entries.get(device)
    return entry && entry.session.state !== 'over' ? entry.stream : channel
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    for (const { session } of this.#entries.values()) session.finish('shutdown')
    await Promise.all(this.#closing)
  }

  #enter(
    device: string,
    { range, ...about }: Pick<Entry, 'address' | 'stream' | 'recording'> & { range: TimeRange },
  ): Entry {
    const { clock, keeper, vehicles } = this.#options
    const { address, stream, recording } = about
    const { lists } = this
    const session: HistorySession = new HistorySession({
      ...{ range, isRecorded: recording !== undefined, nowMs: clock.monotonicMs() },
      held: () => lists.known(device, range) ?? [],
      ask: (from) => this.#ask(address, { from, to: range.to }),
      hangUp: () => vehicles.end(address.stream, 'unwanted'),
      setWallOffset: (offset) => keeper.setWallOffset(stream, offset),
      onOver: (reason) => this.#over(entry, reason),
    })
    const entry: Entry = { ...about, session }
    this.#entries.delete(device)
    this.#entries.set(device, entry)
    this.#forgetOld()
    if (!this.#isTicking) this.#tick(clock)
    return entry
  }

  #control({ address, session }: Entry, action: Exclude<HistoryAction, { action: 'stop' }>): void {
    const { clock, zoneOf } = this.#options
    if (action.action === 'seek') checkPlace(action.at, session.range)
    const nowMs = clock.monotonicMs()
    if (action.action === 'pause') session.pause()
    else if (action.action === 'seek') session.seek(action.at, nowMs)
    else session.turn(action.action === 'back' ? 'back' : 'forward')
    const goesOn = action.action !== 'resume' || session.resume(nowMs)
    if (goesOn) this.#say(controlCommand(address, action, zoneOf(address.sim)))
  }

  #publish(request: Parameters<PublishHub['publish']>[0]): ReturnType<PublishHub['publish']> {
    const { hub, clock } = this.#options
    const channel = parseVehicleStream(request.name)
    const entry = channel?.door === 'history' ? this.#entries.get(channel.deviceId) : undefined
    if (!entry || entry.session.state === 'over') return hub.publish(request)
    const publisher = hub.publish({ ...request, name: entry.stream })
    return entry.session.attach(publisher, () => clock.monotonicMs())
  }

  #over({ address, stream, session, recording }: Entry, reason: HistoryEnd): void {
    const { vehicles, onEvent } = this.#options
    if (reason !== 'complete' || vehicles.channel(address.stream)) this.#say(closeHistory(address))
    vehicles.end(address.stream, 'unwanted')
    onEvent({ type: 'over', stream, reason })
    const closed = this.#close(stream, session, reason, recording).finally(() => this.#closing.delete(closed))
    this.#closing.add(closed)
  }

  /** What of the range did not come is a gap, unless somebody wanted no more. */
  async #close(
    stream: string,
    { range, position, isRecorded }: HistorySession,
    reason: HistoryEnd,
    recording: string | undefined,
  ): Promise<void> {
    const { keeper, onFault } = this.#options
    try {
      const isWanted = reason !== 'stopped' && reason !== 'complete'
      if (isRecorded && isWanted && position < range.to) {
        keeper.addGap(stream, { from: position, to: range.to, cause: 'source-lost' })
      }
      const to = isWanted ? range.to : Math.min(position, range.to)
      if (recording !== undefined) await keeper.endStream(recording, stream, { to })
      keeper.forget(stream)
    } catch (error) {
      onFault('the recording of a history could not be closed', error)
    }
  }

  #replace(device: string): void {
    const before = this.#entries.get(device)?.session
    if (!before || before.state === 'over') return
    if (before.isRecorded) {
      throw new AppError('AlreadyExists', 'a history of this channel is being recorded: stop it first', {
        zh: '该通道的历史录像正在录制：请先停止。',
      })
    }
    before.finish('replaced')
  }

  #times({ sim }: VehicleAddress, { from, to }: TimeRange): { from: string; to: string } {
    const zoneMs = this.#options.zoneOf(sim)
    return { from: toVehicleTime(from, zoneMs), to: toVehicleTime(to, zoneMs) }
  }

  #mayAsk(): void {
    if (this.#options.commands) return
    throw new AppError('FailedPrecondition', 'vehicles.commands is not configured: no vehicle can be asked', {
      zh: '未配置 vehicles.commands，无法向车辆发送指令。',
    })
  }

  #ask(address: VehicleAddress, range: TimeRange): void {
    const { commands } = this.#options
    if (commands) this.#say(openHistory(address, commands.place, this.#times(address, range)))
  }

  #say(command: VehicleCommand): void {
    this.#options.commands?.push(command)
  }

  #freshName(channel: string): string {
    const seconds = Math.floor(this.#options.clock.nowMs() / 1000)
    for (let n = seconds; ; n += 1) {
      const name = `${channel}-${n.toString(36)}`
      if (!this.#byStream(name)) return name
    }
  }

  #byStream(stream: string): Entry | undefined {
    const device = historyChannelOf(stream)?.slice('replay-'.length)
    const entry = device === undefined ? undefined : this.#entries.get(device)
    return entry?.stream === stream.toLowerCase() ? entry : undefined
  }

  #known(vehicle: string): { device: string; entry: Entry } {
    const { device } = addressOf(vehicle)
    const entry = this.#entries.get(device)
    if (entry) return { device, entry }
    throw new AppError('NotFound', 'no history of this channel was asked for', {
      zh: '未请求过该通道的历史录像。',
    })
  }

  #forgetOld(): void {
    for (const [device, { session }] of this.#entries) {
      if (this.#entries.size <= historyListsMax) return
      if (session.state === 'over') this.#entries.delete(device)
    }
  }

  /** While anything is played. */
  #tick(clock: Clock): void {
    this.#isTicking = [...this.#entries.values()].some(({ session }) => session.state !== 'over')
    if (!this.#isTicking) return
    clock.sleep(tickMs, this.#stop.signal).then(
      () => {
        for (const { session } of this.#entries.values()) session.tick(clock.monotonicMs())
        this.#tick(clock)
      },
      () => undefined, // The agent stops.
    )
  }
}

function infoOf(device: string, { stream, session, recording }: Entry): HistoryInfo {
  const { range, state, position, end } = session
  return {
    ...{ vehicle: device, stream, ...range, state, position },
    ...(recording === undefined ? {} : { recording }),
    ...(end === undefined ? {} : { end }),
  }
}
