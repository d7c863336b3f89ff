import type { OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { AppError } from '../../shared/error.ts'
import { viewerEndMs } from '../../shared/limits.ts'
import type { ViewerEnd, ViewerSocket } from '../play/viewer.ts'
import { writeAll } from '../play/write-all.ts'
import { refuseUpgrade } from './refuse.ts'

/** The head of the answer to a viewer. `headers`: those of every answer of the door. */
export function flvHead(headers: OutgoingHttpHeaders, nowMs: number): string {
  const all = {
    ...headers,
    date: new Date(nowMs).toUTCString(),
    'content-type': 'video/x-flv',
    'cache-control': 'no-store',
    'transfer-encoding': 'chunked',
    connection: 'close', // Nothing else comes over it, and its end is not waited for.
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 200 OK\r\n${lines.join('')}\r\n`
}

/**
 * HTTP-FLV on the bare socket: the head goes out with the first bytes (a stream that has no picture can still be
 * refused in words), then the shared bytes, which are chunks already.
 */
export function flvSocket(socket: Socket, head: string, requestId: string): ViewerSocket {
  let hasBegun = false
  return {
    write: (chunks, done) => {
      if (hasBegun) return writeAll(socket, chunks, done)
      hasBegun = true
      return writeAll(socket, [Buffer.from(head, 'latin1'), ...chunks], done)
    },
    end: (reason) => {
      if (reason === 'stalled' || reason === 'gone') socket.destroy()
      else if (hasBegun) endCleanly(socket)
      else refuseUpgrade(socket, { error: refusal(reason), requestId })
    },
  }
}

const lastChunk = '0\r\n\r\n'

function endCleanly(socket: Socket): void {
  socket.end(lastChunk)
  const timer = setTimeout(() => socket.destroy(), viewerEndMs)
  socket.once('close', () => clearTimeout(timer))
}

function refusal(reason: ViewerEnd): AppError {
  if (reason === 'no-source') {
    return new AppError(
      'DeadlineExceeded',
      'the source did not connect in time: it may be off or without network',
      {
        zh: '信号源未在规定时间内连接：可能已关机或无网络。',
      },
    )
  }
  if (reason === 'no-key-frame') {
    return new AppError('DeadlineExceeded', 'no key frame came: check that the camera sends', {
      zh: '未收到关键帧：请检查摄像头是否在发送。',
    })
  }
  return new AppError('Unavailable', 'the stream ended', { zh: '流已结束。' })
}
