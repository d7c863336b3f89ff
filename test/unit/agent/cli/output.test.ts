import { expect, test } from 'vitest'
import { durationText, type Output, Progress, print, sizeText, table } from '../../../../agent/cli/output.ts'
import { language } from '../../../../agent/cli/words.ts'

function captured(options: { json?: boolean; terminal?: boolean } = {}): Output & { text: string } {
  const output = {
    json: options.json ?? false,
    terminal: options.terminal ?? false,
    text: '',
    write: (text: string) => {
      output.text += text
    },
  }
  return output
}

test('columns are as wide as their widest cell, Chinese letters count two', () => {
  const text = table(
    ['名称', 'state'],
    [
      ['door', 'live'],
      ['走廊', 'waiting'],
    ],
  )
  expect(text.split('\n')).toEqual(['名称  state', 'door  live', '走廊  waiting'])
})

test('a name from outside cannot steer the terminal', () => {
  expect(table(['name'], [['\u001b[2Jx\r\n']])).toBe('name\n\u{fffd}[2Jx\u{fffd}\u{fffd}')
})

test('--json is one value and nothing else', () => {
  const output = captured({ json: true })
  new Progress(output).show(50, 'half')
  print(output, { id: 1 }, () => 'text')
  expect(output.text).toBe('{"id":1}\n')
})

test('a bar on a terminal, a line each ten percent elsewhere', () => {
  const plain = captured()
  const progress = new Progress(plain)
  for (const percent of [0, 3, 9, 10, 11, 50]) progress.show(percent, 'x')
  expect(plain.text).toBe('0 % x\n10 % x\n50 % x\n')

  const terminal = captured({ terminal: true })
  new Progress(terminal).show(50, 'x')
  expect(terminal.text).toBe('\r\u001b[K[############............] 50 % x')
})

test.each([
  [999, '999 B'],
  [1500, '1.5 kB'],
  [2_340_000, '2.3 MB'],
  [50e9, '50.0 GB'],
])('%d bytes are %s', (bytes, text) => expect(sizeText(bytes)).toBe(text))

test.each([
  [0, '0:00'],
  [61_400, '1:01'],
  [3_661_000, '1:01:01'],
])('%d ms are %s', (ms, text) => expect(durationText(ms)).toBe(text))

test.each([
  [{ LANG: 'zh_CN.UTF-8' }, 'zh'],
  [{ LANG: 'zh_CN.UTF-8', LC_ALL: 'C' }, 'en'],
  [{ LANG: 'de_DE.UTF-8' }, 'en'],
  [{}, 'en'],
] as const)('%j speaks %s', (env, expected) => expect(language(env)).toBe(expected))

test('on a narrow terminal the last column ends at the edge, where enough of it can be read', () => {
  const rows = [['20261120T114936Z-hy3v', 'A very long title 小提琴小提琴']]
  const lines = (columns: number) => table(['id', 'title'], rows, columns).split('\n')
  expect(lines(40)[1]).toBe('20261120T114936Z-hy3v  A very long titl…')
  expect(lines(20)[1]).toBe('20261120T114936Z-hy3v  A very long…')
  expect(lines(200)[1]).toContain('小提琴小提琴')
})
