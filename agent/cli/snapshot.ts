import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Output, print, sizeText } from './output.ts'
import type { Server } from './server.ts'

/** `edgereel snapshot NAME [-o FILE] [--at T]`: a JPEG, on a terminal into a file, otherwise to stdout if asked by `-o -`. */
export async function snapshot(
  server: Server,
  output: Output,
  name: string,
  options: { output?: string; at?: string },
): Promise<void> {
  const at =
    options.at === undefined ? {} : { at: /^\d+$/.test(options.at) ? Number(options.at) : options.at }
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
  await using file = await open(path, 'w')
  await file.writeFile(bytes)
}
