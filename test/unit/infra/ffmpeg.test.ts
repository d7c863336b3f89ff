import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readElf } from '../../../infra/elf.ts'
import { checkFfmpeg } from '../../../infra/ffmpeg-binary.ts'
import { staticBinary } from '../../support/static-binary.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

test.each([
  ['arm64', 183, 1, { arch: 'arm64', isDynamic: false }],
  ['x86_64', 62, 3, { arch: 'x86_64', isDynamic: true }],
  ['a machine that Lambda has not', 40, 1, { arch: 'other', isDynamic: false }],
])('reads the head of a program for %s', (_name, machine, header, expected) => {
  expect(readElf(staticBinary({ machine, header }))).toEqual(expected)
})

test.each([
  ['empty', Buffer.alloc(0)],
  ['a script', Buffer.from('#!/bin/sh\n'.repeat(20))],
  ['cut off', staticBinary({}).subarray(0, 70)],
  ['of 32 bits', Buffer.concat([Buffer.from('7f454c460101', 'hex'), Buffer.alloc(100)])],
])('%s is no program', (_name, bytes) => {
  expect(readElf(bytes)).toBeUndefined()
})

test.each([
  [{ machine: 62 }, /is for x86_64, the functions are arm64/],
  [{ header: 3 }, /needs shared libraries/],
])('an FFmpeg that would not run is refused with what to do', async (of, message) => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'ffmpeg')
  await writeFile(path, staticBinary(of))
  expect(() => checkFfmpeg(path, 'arm64')).toThrow(message)
  await writeFile(path, staticBinary({}))
  expect(checkFfmpeg(path, 'arm64')).toHaveLength(4096)
  expect(() => checkFfmpeg(join(directory.path, 'none'), 'arm64')).toThrow(/no file .*name another/)
})
