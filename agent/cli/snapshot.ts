import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { makeParent } from './make-parent.ts'
import { timeOption } from './option.ts'
import { type Output, print, sizeText } from './output.ts'
import type { Server } from './server.ts'
import { failure } from './words.ts'

/** `edgereel snapshot NAME [-o FILE] [--at T]`: a JPEG, on a terminal into a file, otherwise to stdout if asked by `-o -`. */
export async function snapshot(
  server: Server,
  output: Output,
  name: string,
  options: { output?: string; at?: string },
): Promise<void> {
  const at = options.at === undefined ? {} : { at: timeOption('--at', options.at) }
  const path = `/agent/v1/streams/${encodeURIComponent(name)}/snapshot`
  const response = await server.fetch(path, { method: 'POST', body: at })
  const jpeg = Buffer.from(await response.arrayBuffer())
  const takenAt = response.headers.get('x-taken-at') ?? ''
  if (options.output === '-') {
    process.stdout.write(jpeg)
    return
  }
  const file = resolve(options.output ?? `${name}-${takenAt.replace(/[:.]/g, '-') || 'now'}.jpg`)
  await save(file, jpeg)
  print(output, { file, bytes: jpeg.length, takenAt }, () => `${file} ${sizeText(jpeg.length)} ${takenAt}`)
}

async function save(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await makeParent(path)
    await writeFile(path, bytes)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw failure(
      'FailedPrecondition',
      { en: `${path} cannot be written: ${why}`, zh: `无法写入 ${path}：${why}` },
      { cause },
    )
  }
}
