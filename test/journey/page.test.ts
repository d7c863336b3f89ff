import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildPage } from '../../web/build.ts'
import { type Browser, chromiumPath, openBrowser } from '../support/browser.ts'
import { busyLab, newLab, type PageData } from '../support/page-data.ts'
import { type PageServer, startPageServer } from '../support/page-server.ts'
import { hasProgram } from '../support/shared-data.ts'

const chromium = chromiumPath()
const ffmpeg = hasProgram('ffmpeg')
if (!chromium) console.log('skipped: no Chromium on this machine (apt install chromium, or set CHROMIUM_BIN)')
if (!ffmpeg) console.log('skipped in part: no FFmpeg, so nothing plays')

describe.skipIf(!chromium)('the page in Chromium, on canned answers', () => {
  let pages = ''
  let browser: Browser
  const faults: string[] = []

  beforeAll(async () => {
    pages = await mkdtemp(join(tmpdir(), 'edgereel-page-'))
    await buildPage(pages)
    browser = await openBrowser({})
  })
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    await rm(pages, { recursive: true, force: true })
    // A violated Content-Security-Policy is a console error: none may be left at the end.
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
      if (message.type() === 'error' && !message.text().includes('status of 401')) faults.push(message.text())
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

  const timeOf = (page: Page, name: string): Promise<number> =>
    page
      .getByLabel(name, { exact: true })
      .locator('video')
      .evaluate((video: HTMLVideoElement) => video.currentTime)

  test.skipIf(!ffmpeg)('live pictures move, and stand still when they are out of sight', async () => {
    await using opened = await open(busyLab(Date.now()), '#/live')
    const { page, server } = opened
    await expect.poll(() => timeOf(page, 'Pixel-6a'), { timeout: 15_000 }).toBeGreaterThan(0.5)
    const before = await timeOf(page, 'Pixel-6a')
    await expect.poll(() => timeOf(page, 'Pixel-6a'), { timeout: 15_000 }).toBeGreaterThan(before + 1)
    expect(server.asked).toContain('WS /live/Pixel-6a.flv')
    expect(server.asked).not.toContain('WS /live/iPad.flv')

    await page.setViewportSize({ width: 390, height: 300 })
    await page.getByLabel('iPad', { exact: true }).scrollIntoViewIfNeeded()
    const first = page.getByLabel('Pixel-6a', { exact: true }).locator('video')
    await expect.poll(() => first.getAttribute('data-live')).toBe('connecting')
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  test('a codec without a decoder is said, a waiting camera too', async () => {
    await using opened = await open(busyLab(Date.now()), '#/live')
    await opened.page.getByText('This browser cannot decode H.265').waitFor()
    await opened.page.getByText('Waiting for the camera').waitFor()
  })

  test.skipIf(!ffmpeg)('a lost connection is tried again', async () => {
    const data = busyLab(Date.now())
    await using opened = await open({ ...data, streams: data.streams.slice(0, 1) }, '#/live')
    const { page, server } = opened
    await expect.poll(() => timeOf(page, 'Pixel-6a'), { timeout: 15_000 }).toBeGreaterThan(0.5)
    server.dropLive()
    await page.getByText('Connection lost').waitFor()
    await expect
      .poll(() => server.asked.filter((line) => line.startsWith('WS ')).length, { timeout: 10_000 })
      .toBe(2)
    await page.getByText('Connection lost').waitFor({ state: 'detached', timeout: 15_000 })
  })

  test('record, stop, find it in the archive, play it, download it', async () => {
    const data = busyLab(Date.now())
    await using opened = await open({ ...data, open: [] }, '#/live')
    const { page, server } = opened
    await page.getByRole('button', { name: 'Record Pixel-7', exact: true }).click()
    await page.getByRole('img', { name: /Recording for 0:0\d/ }).waitFor()
    await page.getByRole('button', { name: 'Stop recording Pixel-7' }).first().click()
    await page.getByRole('link', { name: 'Show it' }).click()
    await page.getByText('Ready').waitFor()
    if (!ffmpeg) return
    const video = page.locator('video.player')
    await video.evaluate((element: HTMLVideoElement) => element.play())
    await expect
      .poll(() => video.evaluate((element: HTMLVideoElement) => element.currentTime))
      .toBeGreaterThan(0.3)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: /MP4/ }).click(),
    ])
    expect(await download.path()).toBeTruthy()
    expect(server.asked).toContain('GET /v1/recordings/rec-7/download?stream=Pixel-7&part=0&format=mp4')
  })

  test('a selection is recorded under one title, from 30 s ago', async () => {
    await using opened = await open(busyLab(Date.now()), '#/live')
    const { page, server } = opened
    await page.getByRole('button', { name: 'Select', exact: true }).click()
    await page.getByLabel('Select Pixel-6a').check()
    await page.getByLabel('Select door').check()
    await page.getByLabel('Title (optional)').fill('take 5')
    await page
      .locator('.selection-bar')
      .getByRole('button', { name: /30 seconds ago/ })
      .click()
    await page.getByText('Recording take 5 from').waitFor()
    expect(server.data.open.at(-1)).toMatchObject({
      title: 'take 5',
      streams: [{ name: 'Pixel-6a' }, { name: 'door' }],
      from: server.data.stats.now - 30_000,
    })
  })

  test('a tile opens large with the keyboard and closes with Escape', async () => {
    await using opened = await open(busyLab(Date.now()), '#/live')
    const { page } = opened
    await page.getByRole('link', { name: 'Open Pixel-7 large' }).press('Enter')
    await page.getByText('avc1.42c01f').waitFor()
    await page.keyboard.press('Escape')
    await page.getByText('avc1.42c01f').waitFor({ state: 'detached' })
  })

  test('phones: one is allowed, all are started, each answer is shown', async () => {
    await using opened = await open(busyLab(Date.now()), '#/phones')
    const { page, server } = opened
    await page.getByText('Redmi Note 12 at 192.168.1.44').waitFor()
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByText('Redmi Note 12 is allowed.').waitFor()
    expect(server.asked).toContain('POST /agent/v1/phones/p4/allow')
    await page.getByLabel('Aspect ratio w:h').fill('4')
    expect(await page.getByRole('button', { name: 'Start all' }).isDisabled()).toBe(true)
    await page.getByLabel('Aspect ratio w:h').fill('4:3')
    await page.getByRole('button', { name: 'Start all' }).click()
    await page.getByText('2 of 3 started').waitFor()
    await page.getByText('iPad: no answer').waitFor()
    expect(server.bodies.at(-1)).toEqual({ width: 4, height: 3, bitrateMb: 4, fps: 10 })
    await page.getByRole('img', { name: 'QR code of ws://192.168.1.10:50001/android-cam' }).waitFor()
  })

  test('with loopback only, the page says how to open the door', async () => {
    await using opened = await open(newLab(Date.now()), '#/phones')
    await opened.page.getByText('Only this computer can connect now').waitFor()
    await opened.page.getByText('edgereel -- up --lan').waitFor()
  })

  test('archive: filters, gaps with causes in words, share, hold, delete', async () => {
    await using opened = await open(busyLab(Date.now()), '#/archive')
    const { page, server } = opened
    await page.getByLabel('Search titles').fill('take 2')
    await page.getByRole('link', { name: 'Open Rehearsal' }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'Open Violin, take 2' }).click()
    await page.getByText('1.6 s: the camera was gone').waitFor()
    expect(await page.getByRole('button', { name: /Jump to gap/ }).count()).toBe(2)
    await page.getByText(/^By Wei, since/).waitFor()
    await page.getByRole('button', { name: 'Create link' }).click()
    expect(await page.getByRole('textbox', { name: 'Share' }).inputValue()).toBe(`${server.url}/s/q7VtY2mZb0`)
    await page.getByRole('switch').click()
    await page.getByText('On hold', { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'Delete' }).isDisabled()).toBe(true)
    await page.getByRole('switch').click()
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('Nothing matches').waitFor()
    expect(server.data.archive).toHaveLength(5)
  })

  test('tasks: progress, the reason in words, another try', async () => {
    await using opened = await open(busyLab(Date.now()), '#/tasks')
    const { page, server } = opened
    await page.getByText('Running 62 %').waitFor()
    await page.getByText('A file is not in a format that can be read.').waitFor()
    await page.getByRole('button', { name: 'Retry' }).click()
    await page.getByText('The task will be tried again.').waitFor()
    expect(server.asked).toContain('POST /v1/tasks/export-failed/retry')
  })

  test('status: the recorders of an archive, and what is wrong with them', async () => {
    const lab = busyLab(Date.now())
    const known = { lastSeen: Date.now() - 60_000, online: true, revoked: false, state: {} }
    lab.agents = [
      { name: 'lab', ...known },
      {
        name: 'attic',
        ...known,
        twin: { lastSeen: Date.now() },
        clock: { offsetMs: 7_200_000, boundMs: 20 },
      },
    ]
    await using opened = await open(lab, '#/status')
    const fleet = opened.page.locator('.fleet')
    await fleet.waitFor()
    const words = await fleet.innerText()
    expect(words).toContain('attic online')
    expect(words).toContain('Another machine says that it is this one')
    expect(words).toMatch(/Its clock is 2.*off/)
  })

  test('status: a token is made and shown once', async () => {
    await using opened = await open(busyLab(Date.now()), '#/status')
    const { page, server } = opened
    await page.getByText('18.4 GB of 50.0 GB').waitFor()
    await page.getByLabel('Name').fill('left tripod')
    await page.getByText('A name is 1 to 64').waitFor()
    await page.getByLabel('Name').fill('left-tripod')
    await page.getByRole('button', { name: 'Create token' }).click()
    await page.getByText('It cannot be shown again').waitFor()
    expect(server.bodies.at(-1)).toEqual({ name: 'left-tripod', role: 'viewer' })
  })

  test('without a session it asks for a token, and goes on where it was', async () => {
    await using opened = await open({ ...busyLab(Date.now()), signedOut: true }, '#/tasks')
    const { page } = opened
    await page.getByLabel('Token').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('This token is not known').waitFor()
    await page.getByLabel('Token').fill('right')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('Running 62 %').waitFor()
    await page.getByRole('link', { name: 'Status' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Token').waitFor()
  })

  test('a viewer is offered nothing that the server would refuse', async () => {
    await using opened = await open({ ...busyLab(Date.now()), role: 'viewer' }, '#/live')
    const { page } = opened
    await page.getByRole('link', { name: 'Open Pixel-7 large' }).waitFor()
    await page.getByRole('button', { name: 'Record' }).first().waitFor({ state: 'detached' })
    expect(await page.getByRole('button', { name: /Stop|Select/ }).count()).toBe(0)
  })

  test.skipIf(!ffmpeg)('the picture that is seen can be saved', async () => {
    await using opened = await open(busyLab(Date.now()), '#/live/Pixel-6a')
    const { page } = opened
    await expect.poll(() => timeOf(page, 'Pixel-6a'), { timeout: 15_000 }).toBeGreaterThan(0.5)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Snapshot' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('Pixel-6a.jpg')
  })

  test('a browser that speaks Chinese gets Chinese, and may switch for good', async () => {
    await using chinese = await openBrowser({ language: 'zh-CN', width: 390, height: 844 })
    await using opened = await open(newLab(Date.now()), '#/live', chinese.context)
    const { page } = opened
    await page.getByText('还没有摄像头').waitFor()
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')
    await page.getByRole('button', { name: 'English' }).click()
    await page.getByText('No camera yet').waitFor()
    await page.reload()
    await page.getByText('No camera yet').waitFor()
  })

  test.each(['live', 'phones', 'archive', 'tasks', 'status'])(
    'nothing of %s is wider than a phone',
    async (section) => {
      await using phone = await openBrowser({ width: 390, height: 844 })
      await using opened = await open(busyLab(Date.now()), `#/${section}`, phone.context)
      const { page } = opened
      await page.locator('h1').waitFor()
      await page.waitForTimeout(300)
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
    },
  )

  test('a server that is gone is said, and what was there stays', async () => {
    await using opened = await open(busyLab(Date.now()), '#/tasks')
    const { page } = opened
    await page.getByText('Running 62 %').waitFor()
    await page.route('**/v1/**', (route) =>
      route.fulfill({ status: 503, json: { error: { message: 'the archive restarts' } } }),
    )
    await page.getByRole('alert').getByText('the archive restarts').waitFor({ timeout: 10_000 })
    await page.getByText('Running 62 %').waitFor()
    faults.length = 0 // The browser logs each 503 as an error: here they are meant.
  })
})
