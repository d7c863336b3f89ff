import { links } from '../api.ts'
import { retryPauseMs } from '../live/retry-pause.ts'

/**
 * Watches a stream without showing it, until the returned function is called: a vehicle sends only while somebody
 * watches, and stills of it are made of what it sends.
 */
export function holdOpen(name: string): () => void {
  let failures = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let socket: WebSocket | undefined
  const open = (): void => {
    socket = new WebSocket(links.live(name))
    socket.onmessage = () => {
      failures = 0
    }
    socket.onclose = () => {
      failures += 1
      timer = setTimeout(open, retryPauseMs(failures, Math.random()))
    }
  }
  open()
  return () => {
    clearTimeout(timer)
    if (socket) socket.onclose = null
    socket?.close()
  }
}
