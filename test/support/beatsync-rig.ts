import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import type { UploadCreated } from '../../shared/contract/beatsync-api.ts'
import type { Task } from '../../shared/contract/task.ts'
import type { ApiRig } from './api-rig.ts'
import { sharedPath } from './shared-data.ts'
import { wav } from './songs.ts'

export type AlignCase = {
  name: string
  dance: string
  bgm: string
  truth: { offset_ms: number | null; overlap_s: [number, number] | null }
}

/** The cases of ../shared/data/align; none where the data is absent. */
export function alignCases(): AlignCase[] {
  const root = sharedPath('data', 'align')
  if (root === undefined) return []
  return readdirSync(root).map((name) => {
    const file = (start: string) =>
      join(root, name, readdirSync(join(root, name)).find((each) => each.startsWith(start)) ?? '')
    const truth = JSON.parse(readFileSync(file('truth'), 'utf8')) as AlignCase['truth']
    return { name, dance: file('dance'), bgm: file('bgm'), truth }
  })
}

export const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Asks for an address, PUTs the bytes there as a client would, and answers the upload's id. */
export async function upload(
  rig: ApiRig,
  name: string,
  bytes: Uint8Array,
  options: { token?: string; sum?: boolean } = {},
): Promise<string> {
  const body = {
    name,
    sizeBytes: bytes.length,
    contentType: 'application/octet-stream',
    ...(options.sum !== false && { sha256: sha256Of(bytes) }),
  }
  const asked = await rig.ask('POST', '/v1/uploads', { token: options.token ?? rig.tokens.operator, body })
  expect(asked.status).toBe(201)
  const { id, url, headers } = asked.json as UploadCreated
  const request = new Request(`http://cloud${url}`, {
    method: 'PUT',
    headers: headers ?? {},
    body: bytes as BodyInit,
  })
  expect((await rig.fetch(request)).status).toBe(200)
  return id
}

export async function submit(
  rig: ApiRig,
  body: { dance: string; bgm: string; [more: string]: unknown },
  token = rig.tokens.operator,
): Promise<Task> {
  const asked = await rig.ask('POST', '/v1/tasks', { token, body: { kind: 'beatsync', ...body } })
  expect(asked.text, String(asked.status)).toContain('"id"')
  return asked.json as Task
}

export async function taskOf(rig: ApiRig, id: string): Promise<Task> {
  return (await rig.ask('GET', `/v1/tasks/${id}`, { token: rig.tokens.viewer })).json as Task
}

const run = promisify(execFile)

/** A film of moving bars with this sound, made by FFmpeg; key frames every two seconds, B-frames between. */
export async function film(directory: string, sound: Float32Array, name = 'dance.mp4'): Promise<Buffer> {
  const path = join(directory, name)
  const source = `${path}.wav`
  await writeFile(source, wav(sound))
  const seconds = String(sound.length / 8000)
  await run('ffmpeg', [
    ...[
      '-v',
      'error',
      '-y',
      '-f',
      'lavfi',
      '-i',
      `testsrc=size=160x120:rate=25:duration=${seconds}`,
      '-i',
      source,
    ],
    ...[
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-bf',
      '2',
      '-g',
      '50',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
      path,
    ],
  ])
  return await readFile(path)
}

/** What a shell would call `ffmpeg … file`, and the bytes it wrote. */
export async function made(directory: string, name: string, args: readonly string[]): Promise<Buffer> {
  const path = join(directory, name)
  await run('ffmpeg', ['-v', 'error', '-y', ...args, path])
  return await readFile(path)
}
