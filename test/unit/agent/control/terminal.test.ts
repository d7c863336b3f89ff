import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { answerLine, openTerminal, type TerminalCommands } from '../../../../agent/control/terminal.ts'
import { AppError } from '../../../../shared/error.ts'
import { settle } from '../../../support/manual-clock.ts'

const asked: unknown[] = []
const commands: TerminalCommands = {
  phones: {
    start: async (request) => {
      asked.push(request)
      if (request.fps === 7) throw new AppError('Unavailable', 'The disk is full.', { zh: '磁盘已满。' })
      const failed = [{ name: 'Pixel-6a', reason: 'no answer', reasonZh: '没有回应' }]
      return { sent: ['a', 'b', 'c', 'Pixel-6a'], started: ['a', 'b', 'c'], failed, recording: 'r1' }
    },
    stop: async () => ({ sent: [], stopped: [], failed: [] }),
    list: async () => [
      {
        id: 'a',
        address: '10.0.0.7',
        state: 'capturing',
        lastSeenAt: 1,
        refused: {},
        fps: 9.96,
        recording: 'r1',
      },
      { id: 'b', address: '10.0.0.8', state: 'waiting', lastSeenAt: 1, refused: {} },
    ],
  },
}

test.each([
  ['', ''],
  ['start 16:9 8 30', '3 of 4 started, Pixel-6a: no answer'],
  ['  start  ', '3 of 4 started, Pixel-6a: no answer'],
  ['stop', 'No phone is filming.'],
  ['status', 'a  capturing  10.0.0.7  10.0 fps  r1\nb  waiting  10.0.0.8'],
  ['stop it', 'Commands: start [width:height] [Mbit/s] [pictures a second], stop, status.'],
  ['help', 'Commands: start [width:height] [Mbit/s] [pictures a second], stop, status.'],
])('%j is answered with %j', async (line, answer) => {
  expect(await answerLine(line, commands, false)).toBe(answer)
})

test('what start asks for has the defaults filled in', async () => {
  asked.length = 0
  await answerLine('start 4:3', commands, false)
  await answerLine('start 8 -3', commands, false)
  expect(asked).toEqual([
    { width: 4, height: 3, bitrateMb: 4, fps: 10 },
    { bitrateMb: 8, fps: 10 },
  ])
})

test('answers in Chinese too, and says in a sentence what went wrong', async () => {
  expect(await answerLine('start', commands, true)).toBe('4 台中 3 台已开始, Pixel-6a: 没有回应')
  const input = new PassThrough()
  const said: string[] = []
  using _terminal = openTerminal(commands, {
    input,
    output: { write: (text) => said.push(text) },
    chinese: true,
  })
  input.write('start fast\nstart 4 7\n')
  await settle()
  await settle()
  expect(said.sort()).toEqual([
    '用法：start [宽:高] [码率 Mbit/s] [帧率]，例如 start 16:9 4 30。\n',
    '磁盘已满。\n',
  ])
})
