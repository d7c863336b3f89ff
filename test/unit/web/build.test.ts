import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BuiltFile, buildPage } from '../../../web/build.ts'

const initialGzipMax = 80_000 // A phone on a poor Wi-Fi shows the page within a second.

let out = ''
let files: BuiltFile[] = []

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'edgereel-page-'))
  files = await buildPage(out)
})
afterAll(() => rm(out, { recursive: true, force: true }))

test('what is loaded first is small, and the player is not in it', async () => {
  const initial = files.filter(({ path, initial: first }) => first && path.endsWith('.js'))
  const sizes = await Promise.all(
    initial.map(async ({ path }) => gzipSync(await readFile(join(out, path))).length),
  )
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(initialGzipMax)
  expect(files.find(({ path }) => path.includes('mpegts'))?.initial).toBe(false)
})

test('chunks carry a hash of their content; the page refers to fixed names', async () => {
  const chunks = files.filter(({ path }) => path.startsWith('chunk-'))
  expect(chunks.length).toBeGreaterThan(0)
  for (const { path } of chunks) expect(path).toMatch(/-[A-Z0-9]{8}\.js$/)
  const html = await readFile(join(out, 'index.html'), 'utf8')
  for (const [, path = ''] of html.matchAll(/(?:href|src)="\/([^"]+)"/g)) {
    expect((await readFile(join(out, path))).length).toBeGreaterThan(0)
  }
})

test('nothing is inline and nothing is foreign: `default-src self` is enough', async () => {
  const html = await readFile(join(out, 'index.html'), 'utf8')
  expect(html).not.toMatch(/<style|<script(?![^>]*src=)|\son\w+=|style=/)
  expect(html).not.toMatch(/https?:\/\//)
  expect(await readFile(join(out, 'app.css'), 'utf8')).not.toMatch(/@import|url\(|https?:/)
})
