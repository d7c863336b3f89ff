/** The least that a WebSocket-to-HTTP relay does to a picture, as FLV tags: `node bare-relay.ts port`. */
import { createServer, type ServerResponse } from 'node:http'
import { WebSocketServer } from 'ws'

const packetHeaderBytes = 16
const viewers = new Map<string, ServerResponse[]>()
const nameOf = (url = '') => new URL(url, 'http://relay').searchParams.get('stream') ?? ''

const server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'video/x-flv' })
  response.write(Buffer.from('464c5601010000000900000000', 'hex'))
  const name = nameOf(request.url)
  viewers.set(name, [...(viewers.get(name) ?? []), response])
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', (socket, request) => {
  const name = nameOf(request.url)
  socket.on('message', (message: Buffer, isBinary) => {
    if (!isBinary) return
    const picture = message.subarray(packetHeaderBytes)
    const head = Buffer.alloc(11)
    head[0] = 9
    head.writeUIntBE(picture.length, 1, 3)
    const tail = Buffer.alloc(4)
    tail.writeUInt32BE(11 + picture.length)
    const tag = Buffer.concat([head, picture, tail])
    for (const viewer of viewers.get(name) ?? []) viewer.write(tag)
  })
  socket.on('error', () => undefined)
})
server.listen(Number(process.argv[2]), '127.0.0.1')
