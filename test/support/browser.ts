import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'

const candidates = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Path of a Chromium on this machine; undefined where there is none: a test that needs it skips itself. */
export function chromiumPath(): string | undefined {
  const given = process.env.CHROMIUM_BIN
  return given && existsSync(given) ? given : candidates.find((path) => existsSync(path))
}

export type Browser = AsyncDisposable & { context: BrowserContext }

/** A headless Chromium with an empty profile, gone with everything it wrote when it is disposed. */
export async function openBrowser(options: {
  width?: number
  height?: number
  dark?: boolean
  language?: string
  scale?: number
  /** A camera and a microphone that Chromium makes up, given to every page that asks. */
  fakeCamera?: boolean
}): Promise<Browser> {
  const executablePath = chromiumPath()
  if (!executablePath) throw new Error('no Chromium on this machine')
  const profile = await mkdtemp(join(tmpdir(), 'edgereel-browser-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    deviceScaleFactor: options.scale ?? 1,
    colorScheme: options.dark ? 'dark' : 'light',
    locale: options.language ?? 'en-GB',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(options.fakeCamera ? ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] : []),
    ],
  })
  return {
    context,
    async [Symbol.asyncDispose]() {
      await context.close()
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}
