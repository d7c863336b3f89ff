import type { ServerResponse } from 'node:http'
import { AppError } from '../../shared/error.ts'
import { viewerEndMs } from '../../shared/limits.ts'
import type { ViewerEnd, ViewerSocket } from '../play/viewer.ts'
import { writeAll } from '../play/write-all.ts'
import { refuse } from './refuse.ts'

const headers = {
  'content-type': 'video/x-flv',
  'cache-control': 'no-store',
  connection: 'close', // Nothing else comes over it, and its end is not waited for.
}

/**
 * HTTP-FLV: the head goes out with the first bytes (a stream that has no picture can still be refused in words), then
 * the shared bytes, chunks already, go straight to the socket.
 */
export function flvSocket(response: ServerResponse, requestId: string): ViewerSocket {
  return {
    write: (chunks, done) => {
      if (!response.headersSent) {
        response.writeHead(200, headers)
        response.flushHeaders()
      }
      if (response.socket) return writeAll(response.socket, chunks, done)
      setImmediate(done, new Error('the socket is gone'))
      return false
    },
    end: (reason) => endFlv(response, requestId, reason),
  }
}

function endFlv(response: ServerResponse, requestId: string, reason: ViewerEnd): void {
  if (reason === 'stalled' || reason === 'gone') response.destroy()
  else if (!response.headersSent) refuse(response, { error: refusal(reason), requestId })
  else endCleanly(response)
}

function endCleanly(response: ServerResponse): void {
  const { socket } = response
  response.end()
  const timer = setTimeout(() => socket?.destroy(), viewerEndMs)
  response.once('close', () => clearTimeout(timer))
}

function refusal(reason: ViewerEnd): AppError {
  if (reason === 'no-key-frame') {
    return new AppError('DeadlineExceeded', 'no key frame came: check that the camera sends', {
      zh: '未收到关键帧：请检查摄像头是否在发送。',
    })
  }
  return new AppError('Unavailable', 'the stream ended', { zh: '流已结束。' })
}
