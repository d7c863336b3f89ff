import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildPage } from '../../web/build.ts'
import { isOfTwoPlaces, showArchive } from '../support/archive-page.ts'
import { type Browser, chromiumPath, openBrowser } from '../support/browser.ts'
import { Program } from '../support/program.ts'

const chromium = chromiumPath()
if (!chromium) console.log('skipped: no Chromium on this machine (apt install chromium, or set CHROMIUM_BIN)')

describe.skipIf(!chromium)('the page in Chromium, on the whole program with its simulated phone', () => {
  let program: Program
  let browser: Browser
  let page: Page
  const faults: string[] = []

  beforeAll(async () => {
    await buildPage()
    program = await Program.start({ args: ['--demo'] })
    browser = await openBrowser({})
    page = await browser.context.newPage()
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      const { url } = message.location()
      const early = /\/thumbnail(\?|$)/.test(url) // Asked for before it was made: the page tries again.
      if (message.type() === 'error' && !early && !isOfTwoPlaces(message.text()))
        faults.push(`${message.text()} ${url}`)
    })
  }, 60_000)
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    await program?.[Symbol.asyncDispose]()
  })

  const currentTime = (selector: string): Promise<number> =>
    page
      .locator(selector)
      .first()
      .evaluate((video: HTMLVideoElement) => video.currentTime)

  test('the printed address opens the page, and the live picture moves', async () => {
    await program.until(() => program.output.includes('First recording finished'), 60_000, 'the first take')
    const address = /^ready (\S+)/m.exec(program.output)?.[1] ?? ''
    await page.goto(address)
    await page.getByRole('heading', { name: 'demo-phone' }).waitFor({ timeout: 20_000 })
    await expect.poll(() => currentTime('.tile video'), { timeout: 20_000 }).toBeGreaterThan(0.3)
    const before = await currentTime('.tile video')
    await expect.poll(() => currentTime('.tile video'), { timeout: 20_000 }).toBeGreaterThan(before + 1)
  }, 120_000)

  test('record, stop, find it in the archive, watch it, download it', async () => {
    await page.getByRole('button', { name: 'Select', exact: true }).click()
    await page.getByLabel('Select demo-phone').check()
    await page.getByLabel('Title (optional)').fill('by hand')
    await page.locator('.selection-bar').getByRole('button', { name: 'Record', exact: true }).click()
    await page.getByText(/^Recording by hand from/).waitFor()
    await page.waitForTimeout(2500) // So that there is something to watch.
    await page.getByRole('button', { name: 'Stop recording by hand' }).click()
    await page.getByRole('link', { name: 'Show it' }).click()
    await showArchive(page, program)
    await page.getByRole('heading', { name: 'by hand' }).waitFor()
    await page.getByText('Ready', { exact: true }).waitFor({ timeout: 30_000 })

    await page.locator('video.player').evaluate((video: HTMLVideoElement) => video.play())
    await expect.poll(() => currentTime('video.player'), { timeout: 10_000 }).toBeGreaterThan(0.5)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: /^MP4/ }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/\.mp4$/)
    expect(await download.failure()).toBeNull()
  }, 60_000)

  test('the first recording of the demonstration is in the archive, with its picture', async () => {
    await showArchive(page, program, '#/archive')
    await expect
      .poll(() => page.locator('.recording-card').count(), { timeout: 30_000 })
      .toBeGreaterThanOrEqual(2)
    const loaded = () =>
      page
        .locator('.thumbnail')
        .evaluateAll(
          (images) => images.filter((image) => (image as HTMLImageElement).naturalWidth > 0).length,
        )
    await expect.poll(loaded, { timeout: 30_000 }).toBeGreaterThanOrEqual(1)
  }, 90_000)

  test('phones, tasks and status speak of this machine', async () => {
    await page.goto(`http://127.0.0.1:${program.port}/#/phones`)
    await page.getByText('Only this computer can connect now').waitFor()
    await page.getByRole('link', { name: 'demo-phone' }).waitFor()
    await showArchive(page, program, '#/tasks')
    await page.getByText('Make file of a recording').first().waitFor()
    await page.goto(`http://127.0.0.1:${program.port}/#/status`)
    await page.getByText('Reachable').waitFor()
    await page.getByText(/ of 50\.0 GB/).waitFor()
  })

  test('nothing was refused by the security policy, nothing failed in the console', () => {
    expect(faults).toEqual([])
  })
})
