import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiHandler } from '../../cloud/aws/lambda/api-handler.ts'
import { addToken, changeAgent } from '../../cloud/rows/access.ts'
import { readPages } from '../../shared/node/read-pages.ts'
import { buildPage } from '../../web/build.ts'
import { type Browser, chromiumPath, openBrowser } from '../support/browser.ts'
import { serveFunction } from '../support/emulators/lambda-http.ts'
import { openJobsRig } from '../support/jobs-rig.ts'
import { putRecording, putSegment, recordingOf, sealSegment, unitOf } from '../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../support/synthetic.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// The page as a cloud without an agent serves it: the same files, behind the function of the API.

const chromium = chromiumPath()
if (!chromium) console.log('skipped: no Chromium on this machine (apt install chromium, or set CHROMIUM_BIN)')

const stack = new AsyncDisposableStack()
let browser: Browser
let url = ''

beforeAll(async () => {
  if (!chromium) return
  const rig = stack.use(await openJobsRig())
  const { path } = stack.use(await temporaryDirectory())
  await buildPage(`${path}/web`)
  const page = { pages: await readPages(`${path}/web`), store: 'https://archive.s3.eu-west-1.amazonaws.com' }
  const sha256 = createHash('sha256').update('the-token').digest('hex')
  await addToken(rig.ports.catalogue, { sha256, name: 'ana', role: 'admin', createdAt: 0 })
  const nowMs = rig.clock.nowMs()
  await changeAgent(rig.ports.catalogue, 'attic', nowMs, (row) => ({ ...row, seenAt: nowMs }))
  const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(i)))
  const id = { agent: 'attic', stream: 'cam', epoch: 1_772_366_400_000, seq: 0 }
  const sealed = sealSegment({ ...id, video: syntheticVideo, units, wallOffsetMs: nowMs })
  await putSegment(rig.ports.store, sealed)
  await putRecording(rig.ports.store, recordingOf('take', [sealed], { title: 'A take in the attic' }))
  expect(await rig.drain()).toEqual([])
  url = stack.use(await serveFunction(apiHandler(rig.ports, page))).url
  browser = stack.use(await openBrowser({}))
}, 120_000)
afterAll(() => stack.disposeAsync())

test.skipIf(!chromium)(
  'a token signs in; the archive and the fleet are there, live and phones are not',
  async () => {
    const page = await browser.context.newPage()
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      // What is not there is how the page learns that no agent is.
      if (message.type() === 'error' && !/status of (401|404)/.test(message.text()))
        faults.push(message.text())
    })
    await page.goto(`${url}/#/archive`)
    await page.locator('input[name=token]').fill('the-token')
    await page.locator('button[type=submit]').click()
    await page.getByText('A take in the attic').first().waitFor()
    const sections = await page.locator('nav').first().innerText()
    expect(sections).toContain('Archive')
    expect(sections).not.toContain('Phones')
    await page.goto(`${url}/#/status`)
    await page.locator('.fleet').waitFor()
    expect(await page.locator('.fleet').innerText()).toContain('attic')
    const [cookie] = await browser.context.cookies(url)
    expect(cookie).toMatchObject({ name: 'edgereel', httpOnly: true, secure: true, sameSite: 'Strict' })
    expect(faults).toEqual([])
  },
)
