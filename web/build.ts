import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { build } from 'esbuild'

const source = import.meta.dirname
const defaultOut = resolve(source, '../dist/web')

/** What a build wrote: paths relative to `out`, sizes in bytes. */
export type BuiltFile = { path: string; sizeBytes: number; initial: boolean }

/**
 * Bundles the page: `index.html`, `app.js`, `app.css`, and one hashed chunk for each player library, loaded
 * when the first video plays. Nothing is inline, so `script-src 'self'` and `style-src 'self'` are enough.
 */
export async function buildPage(out: string = defaultOut): Promise<BuiltFile[]> {
  // Made beside and then put in place: an agent that starts meanwhile reads the old page or the new one.
  await mkdir(dirname(out), { recursive: true })
  const fresh = await mkdtemp(`${out}-`)
  const files = await bundle(fresh)
  await rm(out, { recursive: true, force: true })
  await chmod(fresh, 0o755) // A temporary directory is its maker's alone.
  await rename(fresh, out)
  return files
}

async function bundle(out: string): Promise<BuiltFile[]> {
  const result = await build({
    entryPoints: [{ in: join(source, 'main.tsx'), out: 'app' }],
    outdir: out,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: ['chrome123', 'firefox128', 'safari17.5'], // The first with `light-dark()`.
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    define: { 'process.env.NODE_ENV': '"production"' },
    chunkNames: 'chunk-[name]-[hash]',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  for (const file of ['index.html', 'icon.svg']) await copyFile(join(source, file), join(out, file))
  return listBuilt(out, result.metafile.outputs)
}

type Outputs = Record<string, { bytes: number; imports: { path: string; kind: string }[] }>

/** Marks what the browser loads before it shows anything: the entry and what it imports statically. */
function listBuilt(out: string, outputs: Outputs): BuiltFile[] {
  const initial = new Set<string>()
  const visit = (path: string): void => {
    if (initial.has(path)) return
    initial.add(path)
    for (const { path: next, kind } of outputs[path]?.imports ?? []) {
      if (kind === 'import-statement') visit(next)
    }
  }
  const paths = Object.keys(outputs)
  for (const path of paths) if (/(^|\/)app\.(js|css)$/.test(path)) visit(path)
  return paths.map((path) => ({
    path: resolve(path).slice(resolve(out).length + 1),
    sizeBytes: outputs[path]?.bytes ?? 0,
    initial: initial.has(path),
  }))
}

if (import.meta.main) {
  for (const { path, sizeBytes, initial } of await buildPage()) {
    console.log(`${initial ? 'initial' : 'lazy   '} ${(sizeBytes / 1024).toFixed(1).padStart(7)} kB  ${path}`)
  }
}
