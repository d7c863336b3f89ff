/** What the server asks for; `fps` 0: as many as the camera gives. */
type Capture = { bitrate: number; fps: number; aspectRatio?: { width: number; height: number } }

export type CameraState = 'connecting' | 'ready' | 'filming'

export type BrowserCamera = Disposable & { readonly stream: MediaStream }

const keyFrameEveryMs = 1000
const bufferedBytesMax = 4_000_000 // Eight seconds of 4 Mb/s: then pictures are left out until the network has caught up.
const backoffMs = { first: 1000, max: 15_000 }

/** A browser gives its camera to pages of https and of this machine only, and needs an encoder. */
export function canFilm(): boolean {
  return isSecureContext && 'mediaDevices' in navigator && 'VideoEncoder' in window
}

/**
 * Films with this device's camera as a phone does (docs/protocols.md, Phones): waits for `start_capture`, encodes
 * H.264 in Annex B with a key frame each second and the camera's own times, connects again when the connection is
 * lost. `onState` says how far it is.
 */
export async function openCamera(options: {
  name: string
  onState: (state: CameraState) => void
}): Promise<BrowserCamera> {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } },
  })
  const connection = new Connection(stream, options)
  return {
    stream,
    [Symbol.dispose]: () => {
      connection[Symbol.dispose]()
      for (const track of stream.getTracks()) track.stop()
    },
  }
}

class Connection implements Disposable {
  readonly #stream: MediaStream
  readonly #options: { name: string; onState: (state: CameraState) => void }
  #socket: WebSocket | undefined
  #film: Film | undefined
  #retryMs = backoffMs.first
  #timer: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(stream: MediaStream, options: { name: string; onState: (state: CameraState) => void }) {
    this.#stream = stream
    this.#options = options
    this.#connect()
  }

  [Symbol.dispose](): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#film?.[Symbol.dispose]()
    this.#socket?.close()
  }

  #connect(): void {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    const address = `${scheme}://${location.host}/android-cam?stream=${encodeURIComponent(this.#options.name)}`
    const socket = new WebSocket(address)
    this.#socket = socket
    this.#options.onState('connecting')
    socket.onopen = () => {
      this.#retryMs = backoffMs.first
      socket.send(JSON.stringify({ status: 'ready', message: 'a browser' }))
      socket.send(JSON.stringify(this.#capabilities()))
      this.#options.onState('ready')
    }
    socket.onmessage = ({ data }) => void this.#command(socket, String(data))
    socket.onclose = () => this.#lost()
  }

  #lost(): void {
    this.#film?.[Symbol.dispose]()
    this.#film = undefined
    if (this.#closed) return
    this.#options.onState('connecting')
    this.#timer = setTimeout(() => this.#connect(), this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, backoffMs.max)
  }

  async #command(socket: WebSocket, text: string): Promise<void> {
    const { command, payload } = JSON.parse(text) as { command?: string; payload?: Capture }
    if (command === 'start_capture' && payload) {
      this.#film?.[Symbol.dispose]()
      const onFault = (message: string) => socket.send(JSON.stringify({ status: 'error', message }))
      this.#film = new Film(this.#stream, payload, { socket, onFault })
      socket.send(JSON.stringify({ status: 'capture_started', message: 'filming' }))
      this.#options.onState('filming')
    }
    if (command === 'stop_capture') {
      const film = this.#film
      this.#film = undefined
      await film?.finish()
      if (socket.readyState !== WebSocket.OPEN) return
      socket.send(JSON.stringify({ status: 'capture_stopped', message: 'stopped' }))
      this.#options.onState('ready')
    }
  }

  #capabilities(): object {
    const { width = 0, height = 0 } = this.#stream.getVideoTracks()[0]?.getSettings() ?? {}
    const resolutions = width > 0 && height > 0 ? [{ width, height, format: 'H264' }] : []
    return { type: 'capabilities', deviceModel: `Browser ${this.#options.name}`, sdkInt: 0, resolutions }
  }
}

/** One capture: from the camera's pictures to packets on the socket. */
class Film implements Disposable {
  readonly #video = document.createElement('video')
  readonly #encoder: VideoEncoder
  readonly #capture: Capture
  readonly #socket: WebSocket
  #configured = ''
  #sequence = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #keyMs = Number.NEGATIVE_INFINITY
  #ended = false

  constructor(
    stream: MediaStream,
    capture: Capture,
    { socket, onFault }: { socket: WebSocket; onFault: (message: string) => void },
  ) {
    this.#capture = capture
    this.#socket = socket
    this.#encoder = new VideoEncoder({
      output: (chunk) => this.#send(chunk),
      error: (error) => onFault(error.message),
    })
    this.#video.muted = true
    this.#video.playsInline = true
    this.#video.srcObject = stream
    void this.#video.play()
    this.#video.requestVideoFrameCallback(this.#picture)
  }

  /** What the encoder holds still goes out. */
  async finish(): Promise<void> {
    this.#ended = true
    if (this.#encoder.state === 'configured') await this.#encoder.flush().catch(() => undefined)
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.#ended = true
    this.#video.srcObject = null
    if (this.#encoder.state !== 'closed') this.#encoder.close()
  }

  readonly #picture = (nowMs: number, { captureTime = nowMs }: VideoFrameCallbackMetadata): void => {
    if (this.#ended || this.#encoder.state === 'closed') return
    this.#video.requestVideoFrameCallback(this.#picture)
    const { fps } = this.#capture
    const isEarly = fps > 0 && captureTime - this.#lastMs < 1000 / fps - 4 // Cameras are a little early or late.
    const isFull = this.#socket.bufferedAmount > bufferedBytesMax
    if (isEarly || isFull || this.#encoder.encodeQueueSize > 4) return
    this.#lastMs = captureTime
    const frame = new VideoFrame(this.#video, { timestamp: Math.round(captureTime * 1000) })
    this.#configure(frame)
    const keyFrame = captureTime - this.#keyMs >= keyFrameEveryMs
    if (keyFrame) this.#keyMs = captureTime
    this.#encoder.encode(frame, { keyFrame })
    frame.close()
  }

  /** Again when the device was turned. */
  #configure({ displayWidth, displayHeight }: VideoFrame): void {
    const size = { width: displayWidth & ~1, height: displayHeight & ~1 }
    const key = `${size.width}x${size.height}`
    if (key === this.#configured) return
    this.#configured = key
    this.#keyMs = Number.NEGATIVE_INFINITY
    this.#encoder.configure({
      ...size,
      codec: 'avc1.42E028', // Constrained Baseline, level 4: up to 1080p30, no reordering.
      avc: { format: 'annexb' },
      bitrate: this.#capture.bitrate * 1_000_000,
      ...(this.#capture.fps > 0 && { framerate: this.#capture.fps }),
      latencyMode: 'realtime',
    })
  }

  /** i64 ms, u32 sequence, u32 length, Annex B; big-endian (docs/protocols.md, Phones). */
  #send(chunk: EncodedVideoChunk): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    const message = new Uint8Array(16 + chunk.byteLength)
    const view = new DataView(message.buffer)
    view.setBigUint64(0, BigInt(Math.round(chunk.timestamp / 1000)))
    view.setUint32(8, this.#sequence)
    view.setUint32(12, chunk.byteLength)
    chunk.copyTo(message.subarray(16))
    this.#sequence += 1
    this.#socket.send(message)
  }
}
