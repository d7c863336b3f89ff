import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Browser, chromiumPath, openBrowser } from '../support/browser.ts'
import { openDoors } from '../support/door-rig.ts'
import { clipUnits } from '../support/live-units.ts'

// mpegts.js in Chromium, under this door's own content security policy, with the page's cookie.

const script = `
  const [, name] = location.search.match(/transport=(\\w+)/)
  const scheme = name === 'ws' ? 'ws' : 'http'
  const video = document.querySelector('video')
  window.faults = []
  const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: scheme + '://' + location.host + '/live/cam.flv' })
  player.on(mpegts.Events.ERROR, (...error) => window.faults.push(error.join(' ')))
  player.attachMediaElement(video)
  player.load()
  player.play()
`
const html =
  '<!doctype html><video muted></video><script src="/mpegts.js"></script><script src="/play.js"></script>'

let browser: Browser
let doors: Awaited<ReturnType<typeof openDoors>>
const stop = new AbortController()
let playing: Promise<void> | undefined

beforeAll(async () => {
  if (!chromiumPath()) return
  const library = await readFile(createRequire(import.meta.url).resolve('mpegts.js'))
  const page = (type: string, body: Buffer) => ({ body, type, immutable: false })
  doors = await openDoors({
    pages: new Map([
      ['/', page('text/html', Buffer.from(html))],
      ['/mpegts.js', page('text/javascript', library)],
      ['/play.js', page('text/javascript', Buffer.from(script))],
    ]),
  })
  browser = await openBrowser({})
  const publisher = doors.hub.publish({
    name: 'cam',
    kind: 'test',
    identity: 'x',
    onDisplaced: () => undefined,
  })
  playing = playInRealTime((unit) => publisher.push(unit))
}, 60_000)

afterAll(async () => {
  stop.abort()
  await playing
  await browser?.[Symbol.asyncDispose]()
  await doors?.[Symbol.asyncDispose]()
})

async function playInRealTime(push: (unit: ReturnType<typeof clipUnits>[number]) => void): Promise<void> {
  const units = clipUnits()
  const period = units.length * 40
  const start = performance.now()
  for (let i = 0; !stop.signal.aborted; i += 1) {
    const unit = units[i % units.length]
    if (!unit) return
    const later = Math.floor(i / units.length) * period
    push({ ...unit, dtsMs: unit.dtsMs + later, ptsMs: unit.ptsMs + later, arrivalMs: performance.now() })
    await delay(Math.max(0, start + (i + 1) * 40 - performance.now()))
  }
}

test.skipIf(!chromiumPath()).each(['ws', 'http'])(
  'mpegts.js plays it over %s',
  async (transport) => {
    const page = await browser.context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    const origin = `http://127.0.0.1:${doors.port}`
    await page.goto(`${origin}/login?code=${doors.auth.createLoginCode()}`)
    expect(page.url()).toBe(`${origin}/`)
    complaints.length = 0 // Without a transport in its address the page has nothing to play.
    await page.goto(`${origin}/?transport=${transport}`)
    await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 1, undefined, {
      timeout: 20_000,
    })
    const seen = await page.evaluate(() => {
      const video = document.querySelector('video')
      return { width: video?.videoWidth, frames: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0 }
    })
    expect(seen.width).toBeGreaterThan(0)
    expect(seen.frames).toBeGreaterThan(10)
    expect(await page.evaluate('window.faults')).toEqual([])
    expect(complaints.filter((text) => !text.includes('favicon') && !text.includes('404'))).toEqual([])
    await page.close()
  },
  60_000,
)
