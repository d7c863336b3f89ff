import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

type Assets = { files: Record<string, { displayName?: string; source: { path?: string } }> }

/** The functions of a cloud assembly (`cdk synth -o`) by name, each with the file that Lambda would load. */
export async function bundlesOf(assembly: string): Promise<Map<string, string>> {
  const path = resolve(assembly, 'edgereel.assets.json')
  const { files } = JSON.parse(await readFile(path, 'utf8')) as Assets
  return new Map(
    Object.values(files).flatMap(({ displayName = '', source }) => {
      const [, name] = /^(\w+)\/.*Function\/Code$/.exec(displayName) ?? []
      const isOne = name !== undefined && source.path !== undefined
      return isOne ? [[name, join(resolve(assembly), source.path ?? '', 'index.mjs')] as const] : []
    }),
  )
}
