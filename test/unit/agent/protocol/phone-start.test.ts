import { expect, test } from 'vitest'
import { captureOptions, parseStartArguments } from '../../../../agent/protocol/phone-start.ts'

test.each([
  ['', { bitrateMb: 4, fps: 10 }],
  ['  ', { bitrateMb: 4, fps: 10 }],
  ['4:3', { aspectRatio: { width: 4, height: 3 }, bitrateMb: 4, fps: 10 }],
  ['16:9 8 30', { aspectRatio: { width: 16, height: 9 }, bitrateMb: 8, fps: 30 }],
  ['8', { bitrateMb: 8, fps: 10 }],
  ['8 -1', { bitrateMb: 8, fps: 10 }],
  ['8  0', { bitrateMb: 8, fps: 0 }],
])('start %j', (text, expected) => {
  expect(parseStartArguments(text)).toEqual(expected)
})

test.each([
  ['0:3', /width of the aspect ratio/],
  ['4:-3', /height of the aspect ratio/],
  ['4:', /Use: start/],
  [':', /Use: start/],
  ['4:3:2', /Use: start/],
  ['4:3 0', /bit rate/],
  ['-4', /bit rate/],
  ['4.5', /Use: start/],
  ['4 1e3', /Use: start/],
  ['4 1000', /frame rate/],
  ['4 30 5', /Use: start/],
  ['fast', /Use: start/],
  ['99999999999', /Use: start/],
])('refuses start %j with a sentence', (text, message) => {
  expect(() => parseStartArguments(text)).toThrow(
    expect.objectContaining({
      kind: 'InvalidArgument',
      message: expect.stringMatching(message),
      messageZh: expect.any(String),
    }),
  )
})

test('an aspect ratio needs both sides', () => {
  expect(() => captureOptions({ width: 4 })).toThrow(/both/)
  expect(captureOptions({ width: 4, height: 3, fps: -5 })).toEqual({
    aspectRatio: { width: 4, height: 3 },
    bitrateMb: 4,
    fps: 10,
  })
})
