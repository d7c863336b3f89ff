import type { Command } from 'commander'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

// The program is built when its module is read, in the language of that moment.
const programIn = async (locale: string): Promise<Command> => {
  vi.resetModules()
  vi.stubEnv('LC_ALL', locale)
  return (await import('../../../../agent/cli/program.ts')).program
}

let english: Command
let chinese: Command

beforeAll(async () => {
  english = await programIn('C')
  chinese = await programIn('zh_CN.UTF-8')
}, 60_000)
afterAll(() => void vi.unstubAllEnvs())

type Line = { of: string; words: string }

/** What the help says of every command and option. */
function linesOf(command: Command, path = ''): Line[] {
  const here = `${path} ${command.name()}`.trim()
  return [
    { of: here, words: command.description() },
    ...command.options.map(({ flags, description }) => ({ of: `${here} ${flags}`, words: description })),
    ...command.commands.flatMap((below) => linesOf(below, here)),
  ]
}

test('every command and option says what it does', () => {
  const lines = linesOf(english)
  expect(lines.length).toBeGreaterThan(150)
  expect(lines.filter(({ words }) => words.trim() === '')).toEqual([])
})

test('the Chinese help is Chinese, but for lists of file types', () => {
  const foreign = linesOf(chinese).filter(({ words }) => !/[\u4e00-\u9fff]/.test(words))
  expect(foreign.filter(({ words }) => !/^\.\w+(, \.\w+)*$/.test(words))).toEqual([])
  expect(chinese.helpInformation()).toContain('选项：')
})

test('the version is known', () => {
  expect(english.version()).toMatch(/^\d+\.\d+\.\d+/)
})
