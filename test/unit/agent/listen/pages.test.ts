import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readPages } from '../../../../shared/node/read-pages.ts'

test('reads the files of the page once, by their paths on the wire', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'edgereel-pages-'))
  await mkdir(join(directory, 'chunks'))
  for (const file of ['index.html', 'main.js', 'chunks/player-ABCD1234.js', 'notes.md', 'main.js.map']) {
    await writeFile(join(directory, file), file)
  }
  const pages = await readPages(directory)
  expect([...pages.keys()].sort()).toEqual(['/', '/chunks/player-ABCD1234.js', '/index.html', '/main.js'])
  expect(pages.get('/')).toMatchObject({ type: 'text/html; charset=utf-8', immutable: false })
  expect(pages.get('/chunks/player-ABCD1234.js')).toMatchObject({ immutable: true })
  await rm(directory, { recursive: true })
})

test('a page that was not built is no page', async () => {
  expect((await readPages('/nowhere')).size).toBe(0)
})
