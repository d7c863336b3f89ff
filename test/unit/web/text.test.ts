import { expect, test } from 'vitest'
import { en } from '../../../web/text/en.ts'
import { zh } from '../../../web/text/zh.ts'

type Tree = { [key: string]: unknown }

/** Every text with its path; functions are called with 2s, which every one of them can show. */
function flatten(tree: Tree, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] => {
    if (typeof value === 'string') return [[path + key, value]]
    if (typeof value === 'function') return [[path + key, String(value(2, 2))]]
    return flatten(value as Tree, `${path}${key}.`)
  })
}

test('both languages have the same texts, none of them empty', () => {
  const english = flatten(en)
  const chinese = flatten(zh)
  expect(chinese.map(([path]) => path).sort()).toEqual(english.map(([path]) => path).sort())
  expect([...english, ...chinese].filter(([, words]) => words.trim() === '')).toEqual([])
  expect(english.length).toBeGreaterThan(200)
})

// Names, figures, and signs around what is put in.
const alike = [
  'none',
  'otherLanguage',
  'switchLanguage',
  'plusMinus',
  'phones.wants',
  'archive.gapLine',
  'archive.mp4',
  'archive.h264',
  'archive.csv',
  'status.used',
]

test('Chinese texts are Chinese', () => {
  const foreign = flatten(zh).filter(([, words]) => !/[\u4e00-\u9fff]/.test(words))
  expect(foreign.map(([path]) => path).filter((path) => !alike.includes(path))).toEqual([])
})

test.each([
  ['FFmpeg was not found: the sound is alaw as it came.', '未找到 FFmpeg：声音保持原样（alaw）。'],
  [
    'FFmpeg could not convert the sound: the sound (opus) is left out.',
    'FFmpeg 无法转换声音：文件不含声音（opus）。',
  ],
  ['something new', '声音：something new'],
])('the note of an export in Chinese: %s', (note, expected) => {
  expect(zh.archive.soundNote(note)).toBe(expected)
})
