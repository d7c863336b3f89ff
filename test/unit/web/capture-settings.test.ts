import { expect, test } from 'vitest'
import { captureDefaults, readCapture } from '../../../web/phones/capture-settings.ts'

test('the defaults send no aspect ratio, 4 Mb/s and 10 pictures per second', () => {
  expect(readCapture(captureDefaults)).toEqual({ settings: { bitrateMb: 4, fps: 10 }, errors: {} })
})

test.each([
  ['4:3', { width: 4, height: 3 }],
  [' 16 : 9 ', { width: 16, height: 9 }],
  ['16：9', { width: 16, height: 9 }],
  ['1920x1080', { width: 1920, height: 1080 }],
  ['', {}],
])('the aspect ratio %j is read', (aspect, expected) => {
  expect(readCapture({ aspect, bitrate: '', fps: '' })).toEqual({
    settings: { ...expected, fps: undefined },
    errors: {},
  })
})

test('0 (no limit) and a negative rate (the default) go to the agent as they are', () => {
  expect(readCapture({ ...captureDefaults, fps: '0' }).settings.fps).toBe(0)
  expect(readCapture({ ...captureDefaults, fps: '-3' }).settings.fps).toBe(-3)
})

test.each([
  [{ aspect: '4' }, { aspect: true }],
  [{ aspect: '0:3' }, { aspect: true }],
  [{ aspect: 'wide' }, { aspect: true }],
  [{ bitrate: '0' }, { bitrate: true }],
  [{ bitrate: '-4' }, { bitrate: true }],
  [{ bitrate: 'fast' }, { bitrate: true }],
  [{ bitrate: '1001' }, { bitrate: true }],
  [{ fps: '9.5' }, { fps: true }],
  [{ fps: 'x' }, { fps: true }],
])('%j is named as wrong', (fields, errors) => {
  expect(readCapture({ ...captureDefaults, ...fields }).errors).toEqual(errors)
})
