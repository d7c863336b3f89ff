import { createServer as createHttpServer, type Server as HttpServer, type ServerOptions } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { connectionsMax, headersMs } from '../../shared/limits.ts'
import { connectionsWithin } from '../../shared/node/descriptors.ts'

const tlsHandshake = 0x16 // ContentType of a TLS record that opens a connection (RFC 8446, 5.1).

/** A server, the HTTP servers behind it, and how to be rid of their connections. */
export type OnePort = {
  listener: Server
  servers: readonly (HttpServer | HttpsServer)[]
  /** For connections that come from now on. */
  show(files: CertificateFiles): void
  close(): void
}

export type CertificateFiles = { key: string | Buffer; cert: string | Buffer }
const minVersion = 'TLSv1.2'

/** Plain HTTP only. */
export function plainPort(options: ServerOptions): OnePort {
  const server = createHttpServer(options)
  server.maxConnections = connectionsWithin(connectionsMax, 0.5)
  return {
    listener: server,
    servers: [server],
    show: () => undefined,
    close: () => server.closeAllConnections(),
  }
}

/**
 * TLS and plain HTTP on one port, told apart by the first byte. Who may speak plain is for the door to say: programs
 * on this machine and phones whose app knows nothing else; everybody else is sent to https.
 */
export function tlsPort(options: ServerOptions, files: CertificateFiles): OnePort {
  const plain = createHttpServer(options)
  const secure = createHttpsServer({
    ...options,
    ...files,
    minVersion,
    handshakeTimeout: headersMs,
  })
  const waiting = new Set<Socket>()
  const listener = createServer({ noDelay: true }, (socket) => {
    waiting.add(socket)
    socket.setTimeout(headersMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.once('close', () => waiting.delete(socket))
    socket.once('readable', () => {
      waiting.delete(socket)
      const first: Buffer | null = socket.read(1)
      if (!first) return socket.destroy()
      socket.unshift(first)
      socket.setTimeout(0)
      const server = first[0] === tlsHandshake ? secure : plain
      server.emit('connection', socket)
    })
  })
  listener.maxConnections = connectionsWithin(connectionsMax, 0.5)
  // Their limits for slow headers begin with this event, which only a server that listens itself would emit.
  listener.on('listening', () => {
    for (const server of [plain, secure]) server.emit('listening')
  })
  return {
    listener,
    servers: [plain, secure],
    show: ({ key, cert }) => secure.setSecureContext({ key, cert, minVersion }),
    close: () => {
      for (const socket of waiting) socket.destroy()
      for (const server of [plain, secure]) {
        server.close(() => undefined) // Ends the looks at slow headers.
        server.closeAllConnections()
      }
    },
  }
}
