import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { parseSync } from '@swc/core'

export const repository = resolve(import.meta.dirname, '../..')

/** A source file with what it imports: paths from the repository's root for our own, package names for others. */
export type Module = { path: string; lines: number; text: string; imports: Import[] }
export type Import = { path: string; own: boolean; typeOnly: boolean }

type Declaration = {
  type: string
  source?: { value: string } | null
  typeOnly?: boolean
  specifiers?: { isTypeOnly?: boolean }[]
}

/** Reads every TypeScript file of the given folders. */
export async function readModules(folders: readonly string[]): Promise<Module[]> {
  const modules: Module[] = []
  for (const folder of folders) {
    for await (const file of glob('**/*.{ts,tsx}', { cwd: join(repository, folder) })) {
      modules.push(readModule(join(folder, file)))
    }
  }
  return modules
}

function readModule(path: string): Module {
  const text = readFileSync(join(repository, path), 'utf8')
  const program = parseSync(text, { syntax: 'typescript', tsx: path.endsWith('.tsx') })
  const imports = (program.body as Declaration[]).flatMap((declaration) => {
    const source = declaration.source?.value
    return source === undefined ? [] : [resolveImport(path, source, isTypeOnly(declaration))]
  })
  for (const match of text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) {
    if (match[1]) imports.push(resolveImport(path, match[1], false))
  }
  return { path, text, lines: text.split('\n').length - 1, imports }
}

function isTypeOnly(declaration: Declaration): boolean {
  if (declaration.typeOnly) return true
  const specifiers = declaration.specifiers ?? []
  return specifiers.length > 0 && specifiers.every((specifier) => specifier.isTypeOnly)
}

function resolveImport(from: string, source: string, typeOnly: boolean): Import {
  if (!source.startsWith('.')) return { path: source, own: false, typeOnly }
  return { path: relative(repository, resolve(repository, dirname(from), source)), own: true, typeOnly }
}
