import { beforeAll, expect, test } from 'vitest'
import { type Module, readModules } from '../support/modules.ts'

let modules: Module[] = []
beforeAll(async () => {
  modules = await readModules(['agent', 'cloud', 'infra', 'shared', 'web'])
})

const within = (folder: string) => (module: { path: string }) => module.path.startsWith(`${folder}/`)

/** Every import that breaks a rule, as `from -> to`. */
function offending(
  from: (m: Module) => boolean,
  to: (path: string, own: boolean, typeOnly: boolean) => boolean,
) {
  return modules
    .filter(from)
    .flatMap((m) =>
      m.imports.filter((i) => to(i.path, i.own, i.typeOnly)).map((i) => `${m.path} -> ${i.path}`),
    )
}

test('reads the files it judges', () => {
  // A checker that sees no file passes every rule: these numbers only grow.
  expect(modules.length).toBeGreaterThan(100)
  expect(modules.flatMap((m) => m.imports).length).toBeGreaterThan(400)
  for (const folder of ['agent', 'cloud', 'shared', 'web']) expect(modules.some(within(folder))).toBe(true)
})

test('shared imports neither side', () => {
  expect(offending(within('shared'), (path) => /^(agent|cloud|web|infra)\//.test(path))).toEqual([])
})

test('agent and cloud meet only in shared', () => {
  expect(offending(within('agent'), (path) => path.startsWith('cloud/'))).toEqual([])
  expect(offending(within('cloud'), (path) => path.startsWith('agent/'))).toEqual([])
})

test('nothing that runs imports the infrastructure, which knows only names and sizes of it', () => {
  expect(
    offending(
      (m) => !within('infra')(m),
      (path) => path.startsWith('infra/'),
    ),
  ).toEqual([])
  const known = /^(infra\/|cloud\/ports\.ts$|shared\/(cloud-)?limits\.ts$)/
  expect(offending(within('infra'), (path, own) => own && !known.test(path))).toEqual([])
})

test('protocol and shared/media do no I/O', () => {
  const pure = (m: Module) => within('agent/protocol')(m) || within('shared/media')(m)
  const computing = new Set(['node:zlib', 'node:crypto', 'node:buffer'])
  expect(offending(pure, (path, own) => !own && path.startsWith('node:') && !computing.has(path))).toEqual([])
  expect(offending(pure, (path) => path.startsWith('shared/node/'))).toEqual([])
})

test('stages do not import each other', () => {
  const stages = ['ingest', 'play', 'record', 'ring', 'upload']
  for (const stage of stages) {
    const others = stages.filter((other) => other !== stage).map((other) => `agent/${other}/`)
    const foreign = (path: string, _own: boolean, typeOnly: boolean) =>
      !typeOnly && others.some((other) => path.startsWith(other))
    expect(offending(within(`agent/${stage}`), foreign)).toEqual([])
  }
})

test('jobs see ports, only handlers build them', () => {
  expect(offending(within('cloud/jobs'), (path) => /^cloud\/(local|aws|api)\//.test(path))).toEqual([])
  expect(offending(within('cloud/rows'), (path) => /^cloud\/(local|aws|api|jobs)\//.test(path))).toEqual([])
})

test.each([
  ['ws', 'agent/listen/'],
  ['hono', /^(agent\/control|cloud\/api|cloud\/local)\//],
  ['@hono/node-server', /^(agent\/listen|cloud\/local|agent\/control)\//],
  ['preact', 'web/'],
  ['@preact/signals', 'web/'],
  ['mpegts.js', 'web/'],
  ['hls.js', 'web/'],
  ['esbuild', 'web/'],
  ['aws-cdk-lib', 'infra/'],
  ['constructs', 'infra/'],
  ['cdk-nag', 'infra/'],
  ['@aws-sdk', 'cloud/aws/'],
  ['commander', /^agent\/cli/],
  ['pino', 'shared/node/'],
  ['@grpc/grpc-js', 'agent/control/grpc/'],
  ['@grpc/proto-loader', 'agent/control/grpc/'],
  ['grpc-health-check', 'agent/control/grpc/'],
  ['@redis/client', /^agent\/(ingest|sim)\//],
])('%s is imported in one place', (library, home) => {
  const outside = (m: Module) => (typeof home === 'string' ? !m.path.startsWith(home) : !home.test(m.path))
  expect(
    offending(outside, (path, own) => !own && (path === library || path.startsWith(`${library}/`))),
  ).toEqual([])
})

test('the source has no import cycle', () => {
  const byPath = new Map(modules.map((m) => [m.path, m]))
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [[...trail.slice(trail.indexOf(path)), path].join(' -> ')]
    if (done.has(path)) return []
    const next = byPath.get(path)?.imports.filter((i) => i.own && !i.typeOnly) ?? []
    const cycles = next.flatMap((i) => visit(i.path, [...trail, path]))
    done.add(path)
    return cycles
  }
  expect(modules.flatMap((m) => visit(m.path, []))).toEqual([])
})
