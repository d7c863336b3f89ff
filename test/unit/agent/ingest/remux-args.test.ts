import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFileSource } from '../../../../agent/ingest/file-source.ts'
import { createRemux } from '../../../../agent/ingest/remux.ts'
import { parseCameraUri } from '../../../../agent/protocol/camera-uri.ts'
import { systemClock } from '../../../../shared/node/clock.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'remux-args-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

// RELIABILITY.md G2: whatever a file is called, FFmpeg is given one argument for it, which is a file and nothing else.
test.each(['-i.h264', 'a|b', 'concat:a.ts', 'file:x', 'frame-%03d', 'http:', '$(id)', 'a\nb', '-f lavfi'])(
  'a file called %j',
  async (name) => {
    const bin = join(dir, 'ffmpeg')
    await writeFile(bin, `#!/bin/sh\nfor a in "$@"; do printf '%s\\n\\n' "$a"; done >&2\nexit 1\n`)
    await chmod(bin, 0o755)
    await writeFile(join(dir, name), 'no media at all, and long enough to be looked at'.repeat(20))
    const source = createFileSource({
      uri: parseCameraUri(`file://${join(dir, encodeURIComponent(name))}`),
      ...{ root: dir, clock: systemClock, remux: createRemux(async () => bin) },
    })
    const output = { connected: () => undefined, unit: () => undefined, gap: () => undefined }
    const played = source.connectOnce({ signal: new AbortController().signal, output })
    const { cause } = await played.then(
      () => ({ cause: '' }),
      (error: Error) => error,
    )
    const args = String(cause).split('\n\n')
    expect(args[args.indexOf('-i') + 1]).toBe(`file:${join(dir, name)}`)
    expect(args.filter((arg) => arg.includes(name) || arg === name)).toHaveLength(1)
    expect(args[args.indexOf('-protocol_whitelist') + 1]).toBe('file,pipe')
  },
)
