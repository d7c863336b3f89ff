/**
 * What fetches cameras and hands their units to the hub, with nothing behind it: `node pull-sink.ts PORT URL…`. Listens
 * on the port, and tells whoever connects how many pictures came, of how many streams, and how many gaps there were.
 */
import { createServer } from 'node:net'
import { createHub } from '../../agent/hub/hub.ts'
import { createCameraGuard } from '../../agent/ingest/camera-guard.ts'
import { sourceOpener } from '../../agent/ingest/open-source.ts'
import { Sources } from '../../agent/ingest/sources.ts'
import { systemClock } from '../../shared/node/clock.ts'

const [port = '0', ...urls] = process.argv.slice(2)
const clock = systemClock
let gaps = 0
const onGap = () => {
  gaps += 1
}
const sink = { write: () => undefined, gap: onGap, end: () => undefined }
const hub = createHub({ openSink: () => sink, clock, onEvent: () => undefined })
const guard = createCameraGuard({ allow: ['127.0.0.0/8'], ownPorts: () => [] })
const sources = new Sources({ hub, clock, open: sourceOpener({ guard, clock }) })
urls.forEach((url, i) => {
  sources.set(`cam-${i}`, url)
  sources.setAlways(`cam-${i}`, true)
})
createServer((socket) => {
  const pictures = hub.streams().reduce((sum, { stats }) => sum + stats.units, 0)
  const live = hub.streams().filter(({ state }) => state === 'live').length
  socket.on('error', () => undefined).end(JSON.stringify({ pictures, live, gaps }))
}).listen(Number(port), '127.0.0.1')
