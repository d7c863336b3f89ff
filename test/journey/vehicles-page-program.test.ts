import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildPage } from '../../web/build.ts'
import { type Browser, chromiumPath, openBrowser } from '../support/browser.ts'
import { repository } from '../support/modules.ts'
import { freePort, Program } from '../support/program.ts'
import { hasRedis, RedisServer } from '../support/redis-server.ts'

const possible = chromiumPath() !== undefined && hasRedis
if (!possible) console.log('skipped: Chromium and redis-server are needed')

const bySrs = '064959409438'
const called = '013800138000'

// The whole program, a real Redis, and `edgereel sim vehicle --redis`: a platform with any vehicle that is asked for.
describe.skipIf(!possible)('vehicles on the page, on the whole program with simulated vehicles', () => {
  let redis: RedisServer
  let program: Program
  let platform: ChildProcess
  let browser: Browser
  let page: Page
  const ports = { live: 0, history: 0, hooks: 0 }
  const faults: string[] = []

  beforeAll(async () => {
    await buildPage()
    redis = await RedisServer.start()
    for (const key of Object.keys(ports) as (keyof typeof ports)[]) ports[key] = await freePort()
    program = await Program.start({
      config: `
rtmp: { port: null }
grpc: { port: null }
vehicles:
  live: { port: ${ports.live} }
  history: { port: ${ports.history} }
  publicHost: 127.0.0.1
  commands: { redis: "${redis.url}" }
srs:
  hooks: { live: ${ports.hooks} }
  push: "rtmp://127.0.0.1:1/live"
  api: "http://127.0.0.1:1"
`,
    })
    const words = ['sim', 'vehicle', '--redis', redis.url, '--delay', '1000', '--data', program.data]
    platform = spawn(process.execPath, [join(repository, 'agent/cli.ts'), ...words], { stdio: 'ignore' })
    browser = await openBrowser({ width: 1280, height: 860 })
    page = await browser.context.newPage()
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      const { url } = message.location()
      const early = /\/thumbnail(\?|$)|\/v1\/recordings\//.test(url) // Asked for before it was there: the page tries again.
      if (message.type() === 'error' && !early) faults.push(`${message.text()} ${url}`)
    })
    await page.goto(/^ready (\S+)/m.exec(program.output)?.[1] ?? '')
    await page.getByRole('link', { name: 'Vehicles' }).waitFor()
  }, 120_000)

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    platform?.kill()
    await program?.[Symbol.asyncDispose]()
    await redis?.[Symbol.asyncDispose]()
  })

  const show = (path: string) => page.goto(`http://127.0.0.1:${program.port}/#/${path}`)
  const time = () =>
    page
      .locator('video')
      .first()
      .evaluate((video: HTMLVideoElement) => video.currentTime)
  const moves = async () => {
    await page.locator('video[data-live=playing]').waitFor({ timeout: 30_000 })
    const before = await time()
    await expect.poll(time, { timeout: 15_000 }).toBeGreaterThan(before + 0.8)
  }
  const hook = async (action: string) => {
    const body = JSON.stringify({ action, client_id: 'abc', app: 'live', stream: `${bySrs}01` })
    const url = `http://127.0.0.1:${ports.hooks}/api/v1/sessions`
    return (await fetch(url, { method: 'POST', body })).text()
  }

  test('SRS’s on_play, its vehicle comes, a click, and its picture moves', async () => {
    await show('vehicles')
    await page.getByText('No vehicle is connected').waitFor()
    expect(await hook('on_play')).toBe('0')
    const port = String(ports.live)
    const command = { port, ip: '127.0.0.1', iccid: bySrs, channelNo: '1', commandId: '9101' }
    await redis.cli('RPUSH', 'EXTERNAL_COMMAND', JSON.stringify(command)) // As the platform's web server does.
    await page.getByRole('link', { name: 'Open 64959409438, channel 1' }).click({ timeout: 20_000 })
    await moves()
    await page.getByText('Connected', { exact: true }).waitFor()
    expect(await hook('on_stop')).toBe('0')
  }, 60_000)

  test('a vehicle that is not connected is called by its SIM, seen, and recorded', async () => {
    await show('vehicles')
    await page.getByLabel('SIM').fill('13800138000')
    await page.getByLabel('Channel', { exact: true }).fill('2')
    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await page.getByText('Called, waiting for the vehicle').waitFor()
    await moves()
    await page.getByRole('button', { name: `Record ${called}02` }).click()
    await page.getByRole('img', { name: /Recording for 0:0[2-9]/ }).waitFor()
    await page.getByRole('button', { name: `Stop recording ${called}02` }).click()
    await page.getByRole('link', { name: 'Show it' }).click()
    await page.getByText('Ready', { exact: true }).waitFor({ timeout: 30_000 })
  }, 90_000)

  test('history: what it holds, a range, pause, seek, speed, stop', async () => {
    await show(`vehicles/${called}01/history`)
    await page.getByText('Times are those of the vehicle').waitFor()
    await page.getByLabel('Day').fill('2026-01-02')
    await page.getByLabel('From').fill('10:00:00')
    await page.getByLabel('To', { exact: true }).fill('10:30:00')
    await page.getByRole('button', { name: 'What does it hold?' }).click()
    const path = `/agent/v1/vehicles/${called}01/history`
    await page.getByText(/^6 files, /).waitFor() // Of five minutes each, as the simulated platform passes them back.
    await page.getByRole('button', { name: 'Play 2026-01-02 10:00:00' }).click()
    await moves()
    await page.getByText('Connected', { exact: true }).waitFor()
    await page.screenshot({ path: process.env.EDGEREEL_SHOT ?? join(program.data, 'page.png') })
    const position = async () => (await program.json<{ position: number }>(path)).position
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('Paused').waitFor()
    const paused = await position()
    await page.waitForTimeout(2000)
    expect(await position()).toBeLessThan(paused + 1500)
    await page.getByRole('button', { name: 'Go on' }).click()
    await moves()
    await page.getByRole('slider', { name: 'Position' }).fill(String(Date.parse('2026-01-02T10:03:00+08:00')))
    await expect.poll(position, { timeout: 10_000 }).toBeGreaterThan(Date.parse('2026-01-02T10:03:01+08:00'))
    await moves()
    await page.getByLabel('Speed').selectOption('4')
    const fast = await position()
    await expect.poll(position, { timeout: 10_000 }).toBeGreaterThan(fast + 8000)
    for (const speed of ['16', 'keys', '-2', '1']) {
      await page.getByLabel('Speed').selectOption(speed)
      await page.waitForTimeout(1000)
      await moves()
    }
    await page.getByRole('button', { name: 'Sound' }).click()
    await moves()
    const muted = page.locator('video').evaluate((video: HTMLVideoElement) => video.muted)
    expect(await muted).toBe(false)
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByText('Stopped.').waitFor()
  }, 120_000)

  test('a range goes into the archive, and plays from there with the vehicle’s own time', async () => {
    await page.getByLabel('To', { exact: true }).fill('10:00:06')
    await page.getByLabel('Title of a recording').fill('crossing')
    await page.getByRole('button', { name: 'Record into the archive', exact: true }).click()
    await moves()
    await page.getByText('The range was played to its end.').waitFor({ timeout: 30_000 })
    await page.locator('.history-foot').getByRole('link', { name: 'Open the recording' }).click()
    await page.getByRole('heading', { name: 'crossing' }).waitFor()
    await page.getByText('Ready', { exact: true }).waitFor({ timeout: 60_000 })
    const [recording] = (await program.recordings()).filter(({ title }) => title === 'crossing')
    expect(recording?.from).toBe(Date.parse('2026-01-02T10:00:00+08:00'))
    await page.locator('video.player').evaluate((video: HTMLVideoElement) => {
      video.muted = true
      return video.play()
    })
    await expect.poll(time, { timeout: 10_000 }).toBeGreaterThan(0.5)
  }, 120_000)

  test('a vehicle that does not come: after the deadline the page says so', async () => {
    platform.kill()
    await show(`vehicles/${called}05`)
    await page.getByText('Called, waiting for the vehicle').waitFor()
    await page
      .getByRole('alert')
      .getByText('The vehicle did not connect in time')
      .waitFor({ timeout: 40_000 })
    await page.getByRole('button', { name: 'Call again' }).click()
    await page.getByText('Called, waiting for the vehicle').waitFor()
  }, 60_000)

  test('nothing was refused by the security policy, nothing failed in the console', () => {
    expect(faults).toEqual([])
  })
})
