import { expect, test } from 'vitest'
import { dataWords } from '../../../../agent/cli/demo.ts'
import { dataDirectory } from '../../../../agent/config.ts'

test('a command that is to be typed names the data directory, unless it is the usual one', () => {
  expect(dataWords(dataDirectory(undefined))).toBe('')
  expect(dataWords('/tmp/lab')).toBe(' --data /tmp/lab')
  expect(dataWords('/tmp/my lab')).toBe(' --data "/tmp/my lab"')
})
