import type { Clock } from '../../shared/node/clock.ts'
import { parseRtmpUrl } from '../protocol/rtmp/address.ts'
import {
  Forward,
  type ForwardEvent,
  type ForwardOptions,
  type ForwardStatus,
  type ForwardStream,
} from './rtmp-forwards.ts'

export type SrsPushesOptions = {
  /** `rtmp://host[:port]/app` of the SRS that shows a channel; undefined where it is not a vehicle's. */
  targetOf: (channel: string) => { url: string; name: string } | undefined
  /** Which wanted channel a stream of the hub shows. */
  channelOf: (stream: string) => string | undefined
  /** The stream that shows a channel now, if there is one. */
  streamOf: (channel: string) => ForwardStream | undefined
  clock: Clock
  random?: () => number
  /** As for forwards: behind SRS are browsers. */
  sound?: ForwardOptions['sound']
  onEvent: (event: ForwardEvent) => void
}

export type SrsPushes = AsyncDisposable & {
  /** Pushes the channel, whenever it is there, until disposed. */
  want(channel: string): Disposable
  /** A publisher of this stream has begun. */
  published(stream: ForwardStream): void
  status(): ForwardStatus[]
}

type Push = { holders: number; running?: { stream: ForwardStream; forward: Forward } }

/** Channels of vehicles that somebody watches at SRS, pushed to it as long as somebody does. */
export function createSrsPushes(options: SrsPushesOptions): SrsPushes {
  const pushes = new Map<string, Push>()
  /** The last forward of each channel, until it has said goodbye: SRS takes one publisher of a name. */
  const ending = new Map<string, Promise<void>>()
  const stop = (channel: string, push: Push) => {
    const done = push.running?.forward.stop()
    delete push.running
    if (!done) return
    const last = done.finally(() => {
      if (ending.get(channel) === last) ending.delete(channel)
    })
    ending.set(channel, last)
  }
  const start = async (channel: string, push: Push, stream: ForwardStream) => {
    await ending.get(channel)
    if (pushes.get(channel) !== push || push.running) return
    const target = options.targetOf(channel)
    if (!target) return
    const { clock, random = Math.random, sound, onEvent } = options
    const url = parseRtmpUrl(`${target.url.replace(/\/+$/, '')}/${target.name}`)
    const running = {
      stream,
      forward: new Forward({ stream, url, clock, random, onEvent, ...(sound && { sound }) }),
    }
    push.running = running
    running.forward.done.then(() => {
      if (push.running === running) delete push.running // The stream is over; another may follow.
    })
  }
  const show = (channel: string, push: Push, stream: ForwardStream) => {
    if (push.running?.stream === stream && !push.running.forward.isOver) push.running.forward.wake()
    else {
      stop(channel, push)
      start(channel, push, stream).catch(() => undefined) // Its address was checked with the configuration.
    }
  }
  return {
    want: (channel) => {
      const push = pushes.get(channel) ?? { holders: 0 }
      pushes.set(channel, push)
      push.holders += 1
      const stream = push.holders === 1 ? options.streamOf(channel) : undefined
      if (stream) show(channel, push, stream)
      let left = false
      return {
        [Symbol.dispose]: () => {
          if (left) return
          left = true
          push.holders -= 1
          if (push.holders > 0) return
          pushes.delete(channel)
          stop(channel, push)
        },
      }
    },
    published: (stream) => {
      const channel = options.channelOf(stream.name)
      const push = channel === undefined ? undefined : pushes.get(channel)
      if (channel !== undefined && push) show(channel, push, stream)
    },
    status: () => [...pushes.values()].flatMap(({ running }) => (running ? [running.forward.status] : [])),
    [Symbol.asyncDispose]: async () => {
      for (const [channel, push] of pushes) stop(channel, push)
      pushes.clear()
      await Promise.all(ending.values())
    },
  }
}
