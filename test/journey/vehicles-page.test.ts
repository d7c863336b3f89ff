import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildPage } from '../../web/build.ts'
import { type Browser, chromiumPath, openBrowser } from '../support/browser.ts'
import { busyLab, type PageData } from '../support/page-data.ts'
import { type PageServer, startPageServer } from '../support/page-server.ts'
import { onTheRoad } from '../support/page-vehicles.ts'
import { hasProgram } from '../support/shared-data.ts'

const chromium = chromiumPath()
const ffmpeg = hasProgram('ffmpeg')
if (!chromium) console.log('skipped: no Chromium on this machine (apt install chromium, or set CHROMIUM_BIN)')
if (!ffmpeg) console.log('skipped in part: no FFmpeg, so nothing plays')

const channel = '06495940943803'

describe.skipIf(!chromium)('vehicles on the page, on canned answers', () => {
  let pages = ''
  let browser: Browser
  const faults: string[] = []

  beforeAll(async () => {
    pages = await mkdtemp(join(tmpdir(), 'edgereel-page-'))
    await buildPage(pages)
    browser = await openBrowser({ width: 1280, height: 860 })
  })
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    await rm(pages, { recursive: true, force: true })
    expect(faults).toEqual([])
  })

  async function open(
    data: PageData,
    hash: string,
    context: BrowserContext = browser.context,
  ): Promise<{ page: Page; server: PageServer; [Symbol.asyncDispose](): Promise<void> }> {
    const server = await startPageServer({ pages, data, ...(ffmpeg && { directory: pages }) })
    const page = await context.newPage()
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      const meant = /status of (403|504)/.test(message.text())
      if (message.type() === 'error' && !meant) faults.push(message.text())
    })
    await page.goto(`${server.url}/${hash}`)
    return {
      page,
      server,
      async [Symbol.asyncDispose]() {
        await page.close()
        await server[Symbol.asyncDispose]()
      },
    }
  }

  const time = (page: Page) => page.locator('video').evaluate((video: HTMLVideoElement) => video.currentTime)
  const bodyOf = ({ bodies }: PageServer) => bodies.at(-1) as Record<string, unknown>

  test('without ports there is no such section, and its address says why', async () => {
    await using opened = await open(busyLab(Date.now()), '#/vehicles')
    await opened.page.getByText('No vehicle can come').waitFor()
    expect(await opened.page.getByRole('link', { name: 'Vehicles' }).count()).toBe(0)
  })

  test('connected vehicles by SIM, with their channels and figures', async () => {
    await using opened = await open(onTheRoad(Date.now()), '#/live')
    const { page } = opened
    await page.getByRole('link', { name: 'Vehicles' }).click()
    await page.getByText('2 vehicles connected, 4 channels').waitFor()
    const card = page.getByLabel('64959409438', { exact: true })
    await card.getByText('JT/T 1078-2016').waitFor()
    const row = card.getByRole('row').filter({ hasText: 'Channel 3' })
    for (const words of ['Live', '14 min', 'H.264', '1280×720', '25.0 fps', '602 kb/s']) {
      await row.getByText(words).waitFor()
    }
    await page.getByLabel('13800138000', { exact: true }).getByText('JT/T 1078-2019').waitFor()
    await card.getByRole('row').filter({ hasText: 'History' }).getByRole('link').click()
    await page.waitForURL('**/#/vehicles/replay-06495940943801')
    expect(await page.getByRole('link', { name: 'History' }).count()).toBe(0) // It is one.
  })

  test.skipIf(!ffmpeg)('a channel is watched, recorded, and a still of it is kept', async () => {
    await using opened = await open(onTheRoad(Date.now()), '#/vehicles')
    const { page, server } = opened
    await page.getByRole('link', { name: 'Open 64959409438, channel 3' }).press('Enter')
    await page.getByText('Connected', { exact: true }).waitFor()
    await expect.poll(() => time(page), { timeout: 15_000 }).toBeGreaterThan(0.5)
    expect(server.asked).toContain(`WS /live/${channel}.flv`)
    const [still] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Snapshot' }).click(),
    ])
    expect(still.suggestedFilename()).toBe(`${channel}.jpg`)
    await page.getByRole('button', { name: `Record ${channel}` }).click()
    await page.getByRole('img', { name: /Recording for 0:0\d/ }).waitFor()
    expect(bodyOf(server)).toEqual({ streams: [channel] })
    await page.getByRole('button', { name: `Stop recording ${channel}` }).click()
    await page.getByRole('link', { name: 'Show it' }).waitFor()
  })

  test.skipIf(!ffmpeg)('one that is not connected is called, and why it did not come is said', async () => {
    const data = onTheRoad(Date.now())
    await using opened = await open({ ...data, absent: [] }, '#/vehicles')
    const { page, server } = opened
    await page.getByLabel('SIM').fill('12-34')
    await page.getByText('Up to 12 digits').waitFor()
    expect(await page.getByRole('button', { name: 'Open' }).isDisabled()).toBe(true)
    await page.getByLabel('SIM').fill('13800138000')
    expect(await page.getByLabel('Version').inputValue()).toBe('2019') // As it was seen.
    await page.getByLabel('SIM').fill('13900139000')
    await page.getByLabel('Channel', { exact: true }).fill('2')
    await page.getByLabel('SIM').press('Enter')
    await page.getByRole('heading', { name: '13900139000, channel 2' }).waitFor()
    await page.getByText('Not connected').waitFor()
    await expect.poll(() => server.asked).toContain('WS /live/01390013900002.flv')
    await page.goto(`${server.url}/#/vehicles/ffffffffffff01`)
    await page.getByRole('alert').getByText('this vehicle is not on the list').waitFor()
    expect(server.asked).not.toContain('WS /live/ffffffffffff01.flv')
  })

  test.skipIf(!ffmpeg)(
    'what this browser cannot decode is watched in stills, and the vehicle kept on',
    async () => {
      const data = onTheRoad(Date.now())
      for (const { video } of data.streams) {
        if (video) Object.assign(video, { codec: 'h265', codecString: 'hvc1.1.6.L120.90' })
      }
      await using opened = await open(data, `#/vehicles/${channel}`)
      const { page, server } = opened
      await page.getByText('This browser cannot decode H.265').waitFor()
      await page.getByRole('img', { name: channel }).waitFor()
      await page.waitForTimeout(1500)
      expect(server.asked.filter((line) => line.startsWith('WS ')).at(-1)).toBe(`WS /live/${channel}.flv`)
      expect(server.asked.filter((line) => line.includes('/still?')).length).toBeGreaterThan(1)
    },
  )

  test('the deadline passes: the reason, and another call by hand', async () => {
    const data = onTheRoad(Date.now())
    await using opened = await open(data, '#/vehicles/01390013900001')
    const { page, server } = opened
    await page.getByRole('alert').getByText('The vehicle did not connect in time').waitFor()
    const asked = () => server.asked.filter((line) => line.startsWith('WS ')).length
    await page.waitForTimeout(2500) // It does not call by itself.
    expect(asked()).toBe(1)
    await page.getByRole('button', { name: 'Call again' }).click()
    await expect.poll(asked).toBe(2)
  })

  test('commands that do not get through are said', async () => {
    const data = onTheRoad(Date.now())
    Object.assign(data.vehicles?.commands ?? {}, { awaySince: Date.now() - 60_000, error: 'refused' })
    await using opened = await open(data, '#/vehicles')
    await opened.page
      .getByText('Commands for vehicles do not get through to redis://127.0.0.1:6379')
      .waitFor()
  })

  test.skipIf(!ffmpeg)('history: the list, a range, pause, speed, seek, stop', async () => {
    const data = onTheRoad(Date.now())
    await using opened = await open(data, `#/vehicles/${channel}`)
    const { page, server } = opened
    await page.getByRole('link', { name: 'History' }).click()
    await page.getByText('UTC+08:00').waitFor()
    await page.getByRole('button', { name: 'What does it hold?' }).click()
    await page.getByText('4 files, 80.8 MB').waitFor()
    expect(await page.getByText('alarm').count()).toBe(1)
    await page
      .getByRole('button', { name: /^Play \d{4}-/ })
      .nth(1)
      .click()
    const [, second] = data.held ?? []
    expect(bodyOf(server)).toEqual({ from: second?.from, to: second?.to, record: false })
    await expect.poll(() => time(page), { timeout: 15_000 }).toBeGreaterThan(0.5)
    expect(server.asked).toContain(`WS /live/replay-${channel}-t0.flv`)

    await page.getByLabel('Speed').selectOption('4')
    await expect.poll(() => bodyOf(server)).toEqual({ action: 'fast', speed: 4 })
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('Paused').waitFor()
    expect(await page.locator('video').evaluate((video: HTMLVideoElement) => video.paused)).toBe(true)
    expect(await page.getByLabel('Speed').isDisabled()).toBe(true)
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByRole('slider', { name: 'Position' }).press('End')
    await expect.poll(() => bodyOf(server)).toEqual({ action: 'seek', at: second?.to })
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByText('Stopped.').waitFor()
    expect(await page.getByRole('button', { name: 'Pause' }).count()).toBe(0)
  })

  test('history into the archive: its own times, a title, a link', async () => {
    await using opened = await open(onTheRoad(Date.now()), `#/vehicles/${channel}/history`)
    const { page, server } = opened
    await page.getByLabel('Day').fill('2026-01-02')
    await page.getByLabel('From').fill('10:00:00')
    await page.getByLabel('To', { exact: true }).fill('10:02:30')
    await page.getByLabel('Title of a recording').fill('crossing')
    await page.getByRole('button', { name: 'Record into the archive', exact: true }).click()
    const link = page.getByRole('link', { name: 'Open the recording' }).first()
    await link.waitFor()
    expect(await link.getAttribute('href')).toBe('#/archive/from-vehicle')
    expect(bodyOf(server)).toEqual({
      from: Date.parse('2026-01-02T10:00:00+08:00'),
      to: Date.parse('2026-01-02T10:02:30+08:00'),
      ...{ record: true, title: 'crossing' },
    })
    await page.getByText('it cannot be paused').waitFor()
    expect(await page.getByRole('button', { name: 'Pause' }).count()).toBe(0)
    expect(await page.getByRole('slider').isDisabled()).toBe(true)
  })

  test('a list that does not come, and a range that is none, are said', async () => {
    const { held: _, ...data } = onTheRoad(Date.now())
    await using opened = await open(data, `#/vehicles/${channel}/history`)
    const { page } = opened
    await page.getByRole('button', { name: 'What does it hold?' }).click()
    await page.getByRole('alert').getByText('the vehicle did not say what it holds').waitFor()
    await page.getByLabel('Day').fill('2099-01-01')
    await page.getByText('A range of at most 24 hours').waitFor()
    expect(await page.getByRole('button', { name: 'Play', exact: true }).isDisabled()).toBe(true)
  })

  test('a viewer may watch, and is offered nothing else', async () => {
    await using opened = await open({ ...onTheRoad(Date.now()), role: 'viewer' }, `#/vehicles/${channel}`)
    const { page } = opened
    await page.getByRole('button', { name: 'Snapshot' }).waitFor()
    await page.getByRole('button', { name: /Record/ }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'History' }).click()
    await page.getByText('sign in as operator').waitFor()
  })

  test.each(['vehicles', `vehicles/${channel}`, `vehicles/${channel}/history`])(
    'nothing of %s is wider than a phone, in Chinese and dark',
    async (path) => {
      await using phone = await openBrowser({ width: 390, height: 844, language: 'zh-CN', dark: true })
      await using opened = await open(onTheRoad(Date.now()), `#/${path}`, phone.context)
      const { page } = opened
      await page.locator('h1').waitFor()
      if (path.endsWith('history')) {
        await page.getByRole('button', { name: '查询录像列表' }).click()
        await page.getByText('4 个文件').waitFor()
        await page.getByRole('button', { name: '播放', exact: true }).click()
        await page.getByLabel('速度').waitFor()
      }
      await page.waitForTimeout(500)
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
      if (process.env.EDGEREEL_SHOTS)
        await page.screenshot({
          path: join(process.env.EDGEREEL_SHOTS, `phone-${path.replaceAll('/', '-')}.png`),
          fullPage: true,
        })
    },
  )

  test.skipIf(!process.env.EDGEREEL_SHOTS)(
    'pictures of it',
    async () => {
      const shots = process.env.EDGEREEL_SHOTS ?? ''
      for (const dark of [false, true]) {
        await using one = await openBrowser({ width: 1280, height: 820, dark })
        await using opened = await open(onTheRoad(Date.now()), '#/vehicles', one.context)
        const { page, server } = opened
        const shoot = (name: string) =>
          page.screenshot({ path: join(shots, `${name}${dark ? '-dark' : ''}.png`) })
        await page.getByText('602 kb/s').waitFor()
        await shoot('vehicles')
        await page.goto(`${server.url}/#/vehicles/${channel}`)
        await expect.poll(() => time(page), { timeout: 15_000 }).toBeGreaterThan(0.5)
        await shoot('channel')
        await page.goto(`${server.url}/#/vehicles/${channel}/history`)
        await page.getByRole('button', { name: 'What does it hold?' }).click()
        await page
          .getByRole('button', { name: /^Play \d{4}-/ })
          .nth(1)
          .click()
        await expect.poll(() => time(page), { timeout: 15_000 }).toBeGreaterThan(0.5)
        await page.waitForTimeout(6500)
        await shoot('history')
        await page.goto(`${server.url}/#/vehicles/01390013900001`)
        await page.getByText('Call again').waitFor()
        await shoot('absent')
      }
    },
    90_000,
  )
})
