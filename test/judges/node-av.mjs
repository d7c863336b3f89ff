/**
 * FFmpeg 8.1 as a library: `push FILE URL` sends a file in real time, `pull URL COUNT` decodes so many pictures and
 * prints the codec and how many there were. NODE_AV is the directory of the package (docs/judges.md).
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const api = pathToFileURL(join(process.env.NODE_AV ?? '', 'dist/api/index.js')).href
const { Decoder, Demuxer, Muxer } = await import(api)
const [mode, from, to] = process.argv.slice(2)

async function push(file, url) {
  await using input = await Demuxer.open(file)
  await using output = await Muxer.open(url, { input, format: 'flv' })
  const tracks = new Map(
    input.streams.map((stream) => [stream.index, [output.addStream(stream), stream.timeBase]]),
  )
  const startedMs = performance.now()
  for await (const packet of input.packets()) {
    if (!packet) continue
    const [track, base] = tracks.get(packet.streamIndex)
    const dueMs = startedMs + (Number(packet.dts) * base.num * 1000) / base.den
    if (dueMs > performance.now()) await sleep(dueMs - performance.now())
    await output.writePacket(packet, track)
  }
}

async function pull(url, count) {
  await using input = await Demuxer.open(url)
  const stream = input.video()
  using decoder = await Decoder.create(stream)
  let pictures = 0
  for await (const frame of decoder.frames(input.packets(stream.index))) {
    if (frame) pictures += 1
    frame?.free()
    if (pictures >= count) break
  }
  console.log(pictures)
  process.exit(0) // Closing a live input may wait for its next packet.
}

if (mode === 'push') await push(from, to)
else await pull(from, Number(to))
