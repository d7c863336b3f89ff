import type MpegtsModule from 'mpegts.js'

type Library = typeof MpegtsModule.default
type Loader = MpegtsModule.default.CustomLoaderConstructor

/**
 * What mpegts.js reads a WebSocket with, and one thing more: `onClosed` is told the server's reason before the end is
 * reported. It is the word of the close frame (`no-source`, `ended`, …), empty when the connection just broke.
 */
export function flvLoader(mpegts: Library, onClosed: (reason: string) => void): Loader {
  const { kConnecting, kBuffering, kComplete } = mpegts.LoaderStatus
  return class extends mpegts.BaseLoader {
    #socket: WebSocket | undefined
    #received = 0

    constructor() {
      super('flv-loader')
      this._needStash = true
    }

    override open({ url = '' }: MpegtsModule.default.MediaSegment): void {
      const socket = new WebSocket(url)
      socket.binaryType = 'arraybuffer'
      socket.onopen = () => {
        this._status = kBuffering
      }
      socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
        const start = this.#received
        this.#received += data.byteLength
        this.onDataArrival(data, start, this.#received)
      }
      socket.onclose = ({ reason }) => {
        if (this.#socket !== socket) return
        this._status = kComplete
        onClosed(reason)
        this.onComplete(0, this.#received - 1)
      }
      this.#socket = socket
      this._status = kConnecting
    }

    override abort(): void {
      const socket = this.#socket
      this.#socket = undefined
      this._status = kComplete
      if (socket) socket.onmessage = null
      socket?.close()
    }

    override destroy(): void {
      this.abort()
      super.destroy()
    }
  }
}
