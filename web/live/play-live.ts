import type MpegtsModule from 'mpegts.js'
import { links } from '../api.ts'
import { flvLoader } from './flv-loader.ts'
import { retryPauseMs } from './retry-pause.ts'

/** What a tile shows over its picture. `retrying` holds when the next try comes, in ms from now; `over` the server's word why. */
export type LiveState =
  | { is: 'connecting' | 'playing' }
  | { is: 'retrying'; inMs: number }
  | { is: 'over'; reason: string }

export type LiveOptions = {
  /** Whether to try again after an end for which the server gave this word; always, if absent. */
  goesOn?: (reason: string) => boolean
  /** What comes may be faster or slower than time: whoever falls behind jumps, and the rate is the caller's. */
  ownRate?: boolean
  /** Without sound: a picture that has some waits for it where none comes. */
  silent?: boolean
}

const watchEveryMs = 1000
const steadyAfterMs = 10_000 // Played for this long: the next loss begins with the short pause again.
const stalledAfterMs = 8000 // Longer than any key frame distance that still feels live.
const absentAfterMs = 35_000 // The server holds who waits for a source for 20 s, and for its key frame, and then says why none came.

type Library = typeof MpegtsModule.default
type Player = MpegtsModule.default.Player

let library: Promise<Library> | undefined

function loadLibrary(): Promise<Library> {
  library ??= import('mpegts.js').then(({ default: exported }) => {
    // A CommonJS bundle: its types speak of a `default` that only some bundlers make.
    const mpegts: Library = 'createPlayer' in exported ? (exported as unknown as Library) : exported.default
    mpegts.LoggingControl.enableAll = false
    return mpegts
  })
  library.catch(() => {
    library = undefined // A chunk that did not load is asked for again with the next try.
  })
  return library
}

/**
 * Plays `/live/{name}.flv` over WebSocket until the returned function is called: reconnects with growing
 * pauses after an error, an end, or a picture that stands still. When it does not go on, the last picture stays.
 */
export function playLive(
  video: HTMLVideoElement,
  name: string,
  on: (state: LiveState) => void,
  { goesOn = () => true, ownRate = false, silent = false }: LiveOptions = {},
): () => void {
  let stopped = false
  let failures = 0
  let player: Player | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let reason = ''
  let ended = new AbortController()

  const close = (): void => {
    clearTimeout(timer)
    ended.abort()
    ended = new AbortController()
    player?.destroy()
    player = undefined
  }
  const fail = (): void => {
    if (stopped) return
    if (!goesOn(reason)) {
      clearTimeout(timer)
      on({ is: 'over', reason })
      return
    }
    close()
    failures += 1
    const inMs = retryPauseMs(failures, Math.random())
    on({ is: 'retrying', inMs })
    timer = setTimeout(() => void open(), inMs)
  }
  const watch = (lastTime: number, movedMs: number, stillMs: number): void => {
    const time = video.currentTime
    const moves = time > lastTime
    const moved = moves ? movedMs + watchEveryMs : movedMs
    const still = moves || video.paused ? 0 : stillMs + watchEveryMs
    if (moves) on({ is: 'playing' })
    if (moved >= steadyAfterMs) failures = 0
    const hasPicture = video.readyState > 0
    if (still >= (hasPicture ? stalledAfterMs : absentAfterMs)) fail()
    else timer = setTimeout(() => watch(time, moved, still), watchEveryMs)
  }
  const open = async (): Promise<void> => {
    on({ is: 'connecting' })
    reason = ''
    const onClosed = (word: string): void => {
      reason = word
    }
    try {
      const mpegts = await loadLibrary()
      if (stopped) return
      video.addEventListener('playing', () => on({ is: 'playing' }), { once: true, signal: ended.signal })
      player = createPlayer(mpegts, video, { name, ownRate, silent, fail, onClosed })
      video.muted ||= failures === 0 // Browsers start a picture by themselves only without sound.
      Promise.resolve(player.play()).catch(() => {}) // Refused autoplay: the watch below sees a paused video.
      watch(video.currentTime, 0, 0)
    } catch {
      fail()
    }
  }
  void open()
  return () => {
    stopped = true
    close()
  }
}

type Source = Required<Pick<LiveOptions, 'ownRate' | 'silent'>> & {
  name: string
  fail: () => void
  onClosed: (reason: string) => void
}

function createPlayer(
  mpegts: Library,
  video: HTMLVideoElement,
  { name, ownRate, silent, fail, onClosed }: Source,
): Player {
  const player = mpegts.createPlayer(
    { type: 'flv', isLive: true, url: links.live(name), ...(silent && { hasAudio: false }) },
    {
      enableWorker: false, // Its worker comes from a blob, which `script-src 'self'` rightly refuses.
      enableStashBuffer: false,
      lazyLoad: false,
      deferLoadAfterSourceOpen: false,
      customLoader: flvLoader(mpegts, onClosed),
      liveBufferLatencyChasing: ownRate,
      liveBufferLatencyMaxLatency: 3,
      liveSync: !ownRate,
      liveSyncMaxLatency: 1.5,
      liveSyncTargetLatency: 0.6,
      autoCleanupSourceBuffer: true,
      autoCleanupMaxBackwardDuration: 30,
      autoCleanupMinBackwardDuration: 10,
    },
  )
  player.on(mpegts.Events.ERROR, fail)
  player.on(mpegts.Events.LOADING_COMPLETE, fail)
  player.attachMediaElement(video)
  player.load()
  return player
}

/** What Safari on an iPhone has instead; mpegts.js knows it too. */
function managedSource(): typeof MediaSource | undefined {
  return (globalThis as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource
}

/** Whether Media Source can decode the codec; a stream of unknown codec is tried. */
export function canDecode(codecString: string | undefined): boolean {
  if (!codecString) return true
  const source = globalThis.MediaSource ?? managedSource()
  return source?.isTypeSupported(`video/mp4; codecs="${codecString}"`) ?? false
}
