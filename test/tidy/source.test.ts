import { existsSync } from 'node:fs'
import { glob, readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type Module, readModules, repository } from '../support/modules.ts'

let modules: Module[] = []
beforeAll(async () => {
  modules = await readModules(['agent', 'cloud', 'infra', 'shared', 'web'])
  expect(modules.length).toBeGreaterThan(100)
})

const paths = (wanted: (m: Module) => boolean) => modules.filter(wanted).map((m) => m.path)

test('no file is over 400 lines, and half are under 120', () => {
  expect(paths((m) => m.lines > 400)).toEqual([])
  const sorted = modules.map((m) => m.lines).toSorted((a, b) => a - b)
  expect(sorted[sorted.length >> 1]).toBeLessThan(120)
})

test('the clock is read in one place, and in one for the browser', () => {
  const clocks = ['shared/node/clock.ts', 'web/clock.ts']
  expect(
    paths((m) => !clocks.includes(m.path) && /\bDate\.now\(|\bperformance\.now\(/.test(code(m))),
  ).toEqual([])
})

test('the main thread of the agent makes no synchronous file call', () => {
  // The storage worker and the command line (before anything runs) may.
  const main = (m: Module) => m.path.startsWith('agent/') && !/^agent\/(ring|cli)/.test(m.path)
  const sync =
    /\b(?:open|read|write|append|fsync|fdatasync|rename|unlink|mkdir|stat|readdir|exists|rm|copyFile)(?:File|v)?Sync\(/
  expect(paths((m) => main(m) && sync.test(code(m)))).toEqual([])
})

test('nothing is left open in the code', () => {
  expect(paths((m) => /\b(TODO|FIXME|XXX)\b|not implemented/.test(m.text))).toEqual([])
})

test('no test is switched off or alone', async () => {
  const tests = await readModules(['test'])
  expect(tests.length).toBeGreaterThan(50)
  const off = /\.(?:only|todo)\(|\btest\.skip\(['"`]/
  expect(
    tests.filter((m) => m.path !== 'test/tidy/source.test.ts' && off.test(m.text)).map((m) => m.path),
  ).toEqual([])
})

test('every relative link of the documents leads somewhere', async () => {
  const broken: string[] = []
  let links = 0
  for await (const file of glob('{*.md,docs/**/*.md}', { cwd: repository })) {
    const text = await readFile(join(repository, file), 'utf8')
    for (const [, target] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
      links += 1
      if (target && !existsSync(resolve(repository, dirname(file), target))) broken.push(`${file}: ${target}`)
    }
  }
  expect(links).toBeGreaterThan(10)
  expect(broken).toEqual([])
})

test('no registry host and no path of a machine stands in the repository', async () => {
  const found: string[] = []
  for await (const file of glob(
    '{package.json,package-lock.json,.npmrc,.ci/*,*.md,docs/**/*.md,agent/**/*.ts,cloud/**/*.ts}',
    { cwd: repository },
  )) {
    const text = await readFile(join(repository, file), 'utf8')
    if (/registry\.npm|npmmirror|deb\.debian|\/work\/main|\/home\/[a-z]+\//.test(text)) found.push(file)
  }
  expect(found).toEqual([])
})

/** The text without comments, roughly: enough for words that must not stand in code. */
function code(module: Module): string {
  return module.text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}
