import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildPage } from '../../web/build.ts'
import { type Browser, chromiumPath, openBrowser } from '../support/browser.ts'
import { busyLab, type PageData, stream } from '../support/page-data.ts'
import { type PageServer, startPageServer } from '../support/page-server.ts'

const chromium = chromiumPath()
if (!chromium) console.log('skipped: no Chromium on this machine (apt install chromium, or set CHROMIUM_BIN)')

describe.skipIf(!chromium)('the page in Chromium says what is true', () => {
  let pages = ''
  let browser: Browser

  beforeAll(async () => {
    pages = await mkdtemp(join(tmpdir(), 'edgereel-page-'))
    await buildPage(pages)
    browser = await openBrowser({})
  })
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    await rm(pages, { recursive: true, force: true })
  })

  async function open(
    data: PageData,
    hash: string,
  ): Promise<AsyncDisposable & { page: Page; server: PageServer }> {
    const server = await startPageServer({ pages, data })
    const page = await browser.context.newPage()
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

  test('a double click on Record begins one recording, and does not end it', async () => {
    await using opened = await open({ ...busyLab(Date.now()), open: [] }, '#/live')
    const { page, server } = opened
    await page.getByRole('button', { name: 'Record Pixel-7', exact: true }).dblclick()
    await page.getByRole('button', { name: 'Stop recording Pixel-7' }).first().waitFor()
    await page.waitForTimeout(600)
    expect(server.asked.filter((line) => line.startsWith('POST'))).toEqual(['POST /agent/v1/recordings'])
  })

  test('a camera that cannot be reached is said on its tile, in its details and as an alarm', async () => {
    const lab = busyLab(Date.now())
    const reason = 'the camera refuses the connection'
    const camera = { state: 'offline', since: Date.now(), failures: 3, reason } as const
    const source = 'rtsp://192.168.1.64/gate'
    lab.streams.push(stream('gate', { state: 'waiting', camera, source }))
    await using opened = await open(lab, '#/live/gate')
    const { page } = opened
    await page.getByLabel('gate', { exact: true }).getByText(reason).waitFor()
    await page.getByText(source).waitFor()
    await page.getByRole('link', { name: /^Status/ }).click()
    await page.getByRole('alert').getByText(`gate gives no pictures: ${reason}`).waitFor()
  })

  test('the archive shows what is being recorded, and ends it', async () => {
    await using opened = await open(busyLab(Date.now()), '#/archive')
    const { page, server } = opened
    await page.getByRole('link', { name: 'Open Violin, take 4' }).click()
    await page.getByText('Recording is going on.').waitFor()
    expect(await page.getByRole('button', { name: /Create link|Delete/ }).count()).toBe(0)
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByText('Ready', { exact: true }).waitFor()
    expect(server.data.open).toEqual([])
  })

  test('a token for one stream shows that stream, and calls nothing else broken', async () => {
    await using opened = await open({ ...busyLab(Date.now()), role: 'viewer', onlyStream: 'door' }, '#/live')
    const { page } = opened
    await page.getByRole('heading', { name: 'door' }).waitFor()
    expect(await page.locator('.tile').count()).toBe(1)
    expect(await page.getByRole('alert').count()).toBe(0)
    expect(await page.locator('nav a').allInnerTexts()).toEqual(['Live', 'Status'])
    await page.getByRole('link', { name: 'Status' }).click()
    await page.getByText('opens the live picture of door, and nothing else').waitFor()
  })

  test('a token that only sends is told so, and signs nobody in', async () => {
    await using opened = await open({ ...busyLab(Date.now()), signedOut: true }, '#/live')
    const { page } = opened
    await page.getByLabel('Token').fill('sends')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('This token only sends pictures.').waitFor()
    expect(await page.locator('nav').count()).toBe(0)
  })

  test('what was refused stays on the page until it is closed', async () => {
    await using opened = await open({ ...busyLab(Date.now()), open: [] }, '#/live')
    const { page } = opened
    await page.route('**/agent/v1/recordings', (route) =>
      route.request().method() === 'POST'
        ? route.fulfill({ status: 409, json: { error: { message: 'the disk is full' } } })
        : route.fallback(),
    )
    await page.getByRole('button', { name: 'Record Pixel-7', exact: true }).click()
    const notice = page.locator('.notice-bad')
    await notice.getByText('the disk is full').waitFor()
    await page.waitForTimeout(6500)
    await notice.getByRole('button', { name: 'Close' }).click()
    await notice.waitFor({ state: 'detached' })
  })
})
