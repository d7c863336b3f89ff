import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildPage } from '../../web/build.ts'
import { isOfTwoPlaces, showArchive } from '../support/archive-page.ts'
import { alignCases } from '../support/beatsync-rig.ts'
import { chromiumPath, openBrowser } from '../support/browser.ts'
import { Program } from '../support/program.ts'
import { hasProgram } from '../support/shared-data.ts'

const cases = alignCases()
const easy = cases.find(({ name }) => name.startsWith('a1'))
const wrong = cases.find(({ name }) => name.startsWith('a4'))
const possible = chromiumPath() !== undefined && easy && wrong && hasProgram('ffmpeg')
if (!possible) console.log('skipped: no Chromium, no FFmpeg, or no ../shared/data/align')

test.skipIf(!possible)(
  'two files in, both variants out; a wrong song is refused in both languages',
  async () => {
    await buildPage()
    const directory = await mkdtemp(join(tmpdir(), 'edgereel-beatsync-page-'))
    await using stack = new AsyncDisposableStack()
    stack.defer(() => rm(directory, { recursive: true, force: true }))
    const program = stack.use(await Program.start())
    const browser = stack.use(await openBrowser({ width: 1280, height: 1000 }))
    const page = await browser.context.newPage()
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error' && !isOfTwoPlaces(message.text()))
        faults.push(`${message.text()} ${message.location().url}`)
    })
    await page.goto(/^ready (\S+)/m.exec(program.output)?.[1] ?? '')
    await showArchive(page, program)
    await page.getByRole('link', { name: 'BeatSync' }).click()
    await page.getByRole('heading', { name: 'Nothing yet. Choose a video and its music.' }).waitFor()

    const align = page.getByRole('button', { name: 'Align' })
    expect(await align.isDisabled()).toBe(true)
    await page.locator('input[name=dance]').setInputFiles(easy?.bgm ?? '')
    await page.getByText('is not of a format that is taken').waitFor()
    const give = async (dance: string, bgm: string) => {
      await page.locator('input[name=dance]').setInputFiles(dance)
      await page.locator('input[name=bgm]').setInputFiles(bgm)
      await align.click()
    }
    await give(easy?.dance ?? '', easy?.bgm ?? '')
    const done = page.locator('.beatsync-task[data-status=SUCCESS]')
    await done.first().waitFor({ timeout: 60_000 })
    await done.getByText('3.250 s', { exact: true }).waitFor()
    const videos = done.locator('video')
    expect(await videos.count()).toBe(2)
    for (const video of await videos.all()) {
      const duration = () => video.evaluate((it: HTMLVideoElement) => it.duration)
      await expect.poll(duration, { timeout: 20_000 }).toBeCloseTo(26.566, 1)
      await video.evaluate((it: HTMLVideoElement) => {
        it.muted = true
        return it.play()
      })
      const shown = () => video.evaluate((it: HTMLVideoElement) => it.currentTime)
      await expect.poll(shown, { timeout: 20_000 }).toBeGreaterThan(0.5)
      await video.evaluate((it: HTMLVideoElement) => it.pause())
    }
    const download = page.waitForEvent('download')
    await done
      .getByRole('link', { name: /^Download/ })
      .first()
      .click()
    expect((await download).suggestedFilename()).toBe('dance-modular.mp4')

    await give(wrong?.dance ?? '', wrong?.bgm ?? '')
    await page.getByText('The video does not play this music.').waitFor({ timeout: 60_000 })
    await page.screenshot({ path: process.env.EDGEREEL_SHOT ?? join(directory, 'page.png'), fullPage: true })
    await page.getByRole('button', { name: '中文' }).click()
    await page.getByText('视频中播放的不是这首音乐。').waitFor()
    await page.getByText('最可能的位置').waitFor()
    expect(faults).toEqual([])
  },
  180_000,
)
