import { expect, test } from 'vitest'
import { parsePhoneMessage, startCapture, stopCapture } from '../../../../agent/protocol/phone-text.ts'

test.each([
  ['ready', '{"status":"ready","message":"camera ready"}', { kind: 'ready' }],
  ['started', '{"status":"capture_started","timestamp":1}', { kind: 'capture-started' }],
  [
    'started and turned',
    '{"status":"capture_started","rotation":90}',
    { kind: 'capture-started', rotation: 90 },
  ],
  [
    'started, turned by no quarter',
    '{"status":"capture_started","rotation":45}',
    { kind: 'capture-started' },
  ],
  ['stopped', '{"status":"capture_stopped"}', { kind: 'capture-stopped' }],
  ['turned', '{"status":"rotation_info","rotation":270}', { kind: 'rotation', rotation: 270 }],
  ['turned, but not said how', '{"status":"rotation_info"}', { kind: 'other' }],
  ['error', '{"status":"error","message":"no camera"}', { kind: 'error', message: 'no camera' }],
  ['error without words', '{"status":"error"}', { kind: 'error', message: 'the phone reported an error' }],
  ['unknown status', '{"status":"zoomed","x":[1]}', { kind: 'other' }],
  ['status of a wrong type', '{"status":7}', { kind: 'other' }],
  ['empty object', '{}', { kind: 'other' }],
])('understands %s', (_name, text, expected) => {
  expect(parsePhoneMessage(text)).toEqual(expected)
})

test('reads the capabilities that the app sends on opening', () => {
  const text = JSON.stringify({
    type: 'capabilities',
    deviceModel: 'Pixel 6a',
    sdkInt: 35,
    resolutions: [{ width: 1920, height: 1080, format: 'YUV_420_888', lensFacing: 'back' }],
    imageAnalysisResolution: { width: 640, height: 480 },
  })
  expect(parsePhoneMessage(text)).toEqual({
    kind: 'capabilities',
    capabilities: { model: 'Pixel 6a', sdk: 35, resolutions: [{ width: 1920, height: 1080 }] },
  })
})

test('a phone that describes itself badly is still a phone', () => {
  const text = '{"type":"capabilities","deviceModel":{"a":1},"sdkInt":"x","resolutions":[{"width":-1}]}'
  expect(parsePhoneMessage(text)).toEqual({
    kind: 'capabilities',
    capabilities: { model: undefined, sdk: undefined, resolutions: [] },
  })
})

test('words of a phone are one short line without control or direction characters', () => {
  const text = JSON.stringify({ status: 'error', message: `a\r\nb\u202ec${'d'.repeat(500)}` })
  expect(parsePhoneMessage(text)).toEqual({ kind: 'error', message: `a  b c${'d'.repeat(74)}` })
})

test.each([
  ['cut JSON', '{not json', /not JSON/],
  ['nothing', '', /not JSON/],
  ['a list', '[1]', /not a JSON object/],
  ['null', 'null', /not a JSON object/],
  ['a text', '"ready"', /not a JSON object/],
  ['64 KiB and more', `{"a":"${'x'.repeat(70_000)}"}`, /too many/],
])('refuses %s', (_name, text, message) => {
  expect(() => parsePhoneMessage(text)).toThrow(expect.objectContaining({ kind: 'InvalidArgument' }))
  expect(() => parsePhoneMessage(text)).toThrow(message)
})

test('a start always has a payload, and an aspect ratio only when one is given', () => {
  expect(JSON.parse(startCapture({ bitrateMb: 4, fps: 10 }))).toEqual({
    command: 'start_capture',
    payload: { format: 'h264', bitrate: 4, fps: 10 },
  })
  expect(JSON.parse(startCapture({ bitrateMb: 8, fps: 0, aspectRatio: { width: 4, height: 3 } }))).toEqual({
    command: 'start_capture',
    payload: { format: 'h264', bitrate: 8, fps: 0, aspectRatio: { width: 4, height: 3 } },
  })
  expect(stopCapture()).toBe('{"command":"stop_capture"}')
})
