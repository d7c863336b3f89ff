import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { VideoConfig } from '../../shared/media/access-unit.ts'
import { findFfmpeg } from '../../shared/node/find-ffmpeg.ts'
import { createToJpeg } from '../record/jpeg.ts'
import { listen } from './listen.ts'
import { SimAuth, type SimLogin } from './rtsp-login.ts'

/** A key frame of the footage: the same object each time it is shown. */
export type SimKeyFrame = { nalUnits: readonly Uint8Array[]; config: VideoConfig }

export type SimStillsOptions = {
  host: string
  /** 0: any that is free. */
  port: number
  login: SimLogin | undefined
  /** What is being filmed; undefined before the first key frame. */
  newest: () => SimKeyFrame | undefined
}

/** ISAPI and CGI (docs/protocols.md, camera addresses): channel and track do not matter, there is one. */
const stillPath = /^\/(?:ISAPI\/Streaming\/channels\/\d{3,5}\/picture|cgi-bin\/snapshot\.cgi)(?:\?|$)/i

/** Where the simulated camera makes stills: its newest key frame as JPEG, as Hikvision and Dahua are asked for it. */
export async function simStills(options: SimStillsOptions): Promise<AsyncDisposable & { port: number }> {
  const auth = new SimAuth(options.login)
  const jpegOf = jpegs()
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', headers } = request
    const frame = options.newest()
    if (!auth.admits(method, headers.authorization)) {
      response.writeHead(401, { 'www-authenticate': auth.challenge }).end()
    } else if (method !== 'GET' || !stillPath.test(url)) response.writeHead(404).end()
    else if (!frame) response.writeHead(503).end()
    else {
      const jpeg = await jpegOf(frame)
      response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': jpeg.length }).end(jpeg)
    }
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.writeHead(503).end(error.message))
  })
  const port = await listen(server, options.host, options.port)
  return {
    port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Each key frame is made into a JPEG once: there are as many as the footage has, round after round. */
function jpegs(): (frame: SimKeyFrame) => Promise<Uint8Array> {
  const toJpeg = createToJpeg(findFfmpeg)
  const made = new WeakMap<SimKeyFrame, Promise<Uint8Array>>()
  return (frame) => {
    const jpeg = made.get(frame) ?? toJpeg({ ...frame, takenAt: 0 })
    made.set(frame, jpeg)
    jpeg.catch(() => made.delete(frame)) // Tried again at the next question.
    return jpeg
  }
}
