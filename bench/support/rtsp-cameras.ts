/**
 * Cameras for a bench, in a process that is not counted: 1080p25 at about 4 Mb/s, a key frame every two seconds, made by
 * FFmpeg once: `node rtsp-cameras.ts FILE N`. Each is a server of its own, and begins at its own time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { simRtsp } from '../../agent/sim/rtsp.ts'

const [file = '', count = '1'] = process.argv.slice(2)
const urls: string[] = []
for (let i = 0; i < Number(count); i += 1) {
  urls.push((await simRtsp({ port: 0, file, fps: 25 })).url)
  await sleep(37) // Their key frames must not fall together.
}
process.send?.(urls)
process.on('disconnect', () => process.exit())
