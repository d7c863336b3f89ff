import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildPage } from '../../web/build.ts'
import { type Browser, chromiumPath, openBrowser } from '../support/browser.ts'
import { Program } from '../support/program.ts'

const chromium = chromiumPath()
if (!chromium) console.log('skipped: no Chromium on this machine (apt install chromium, or set CHROMIUM_BIN)')

describe.skipIf(!chromium)('a browser as a camera', () => {
  let program: Program
  let browser: Browser
  let page: Page
  const faults: string[] = []

  beforeAll(async () => {
    await buildPage()
    program = await Program.start()
    browser = await openBrowser({ fakeCamera: true })
    page = await browser.context.newPage()
    page.on('pageerror', (error) => faults.push(error.message))
  }, 60_000)
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    await program?.[Symbol.asyncDispose]()
  })

  const post = (path: string, body: object) =>
    program.json(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  test('it waits, films with the phones, and its take is in the archive with its times', async () => {
    await page.goto(/^ready (\S+)/m.exec(program.output)?.[1] ?? '')
    await page.getByRole('link', { name: 'Phones' }).click()
    await page.getByLabel('Name of the stream').fill('desk')
    await page.getByRole('button', { name: 'Use this camera' }).click()
    await page.getByText('Ready: begins when the phones are started').waitFor({ timeout: 20_000 })
    await post('/agent/v1/phones/start', { fps: 10, bitrateMb: 2 })
    await page.getByText('Filming', { exact: true }).waitFor()
    await page.getByRole('link', { name: 'Live' }).click() // Filming goes on in another view.
    await page.waitForTimeout(3000)
    await page.getByRole('link', { name: 'Phones' }).click()
    await post('/agent/v1/phones/stop', {})
    await page.getByText('Ready: begins when the phones are started').waitFor()

    await program.until(async () => (await program.recordings()).length > 0, 20_000, 'the take')
    const [take] = await program.recordings()
    const { streams } = await program.ready(take?.id ?? '')
    const [desk] = streams
    expect(desk).toMatchObject({ name: 'desk', gaps: [], clock: { source: 'device' } })
    expect(desk?.units).toBeGreaterThan(10) // A machine under load gives fewer than ten a second.
    expect(desk?.export.files[0]?.codec).toMatch(/^avc1\.42/)
    expect(faults).toEqual([])
  }, 120_000)
})
