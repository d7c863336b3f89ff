import type { Page } from 'playwright-core'
import { cloudIsAws } from './emulators/aws-program.ts'
import type { Program } from './program.ts'

/**
 * Goes to a view of the archive (by its hash; absent: the one that is shown): on the agent's own page, or, with the
 * cloud on AWS, on that cloud's, where people sign in once.
 */
export async function showArchive(page: Page, program: Program, view?: string): Promise<void> {
  const isElsewhere = new URL(page.url()).origin !== program.archiveUrl
  if (view === undefined && !isElsewhere) return
  await page.goto(`${program.archiveUrl}/${view ?? new URL(page.url()).hash}`)
  if (!cloudIsAws()) return
  const field = page.locator('input[name=token]')
  await page.locator('nav').or(field).first().waitFor()
  if (!(await field.isVisible())) return
  await field.fill(await program.archiveToken())
  await page.locator('button[type=submit]').click()
  await field.waitFor({ state: 'detached' })
}

/** How a page learns that there is no agent at a cloud, no archive at an agent, and that it has to sign in. */
export function isOfTwoPlaces(message: string): boolean {
  return cloudIsAws() && /status of (401|404|412)/.test(message)
}
