/** What a WebSocket server costs that does nothing but append what it gets to files: `node bare-sink.ts port directory`. */
import { mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'

const [port, directory = '.'] = process.argv.slice(2)
const headerBytes = 16
let files = 0

mkdirSync(directory, { recursive: true })
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), perMessageDeflate: false })
server.on('connection', (socket) => {
  files += 1
  const file = openSync(join(directory, `${files}.h264`), 'a')
  socket.on('message', (message: Buffer, isBinary) => {
    if (isBinary) writeSync(file, message.subarray(headerBytes))
  })
  socket.on('error', () => undefined)
})
