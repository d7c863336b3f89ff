import { execFileSync, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { MediaClient } from '../support/grpc-client.ts'
import { repository } from '../support/modules.ts'
import { freePort, Program } from '../support/program.ts'
import { filmingCamera } from '../support/rtsp-rig.ts'
import { hasProgram } from '../support/shared-data.ts'

// The dashboard and the alarms that we give away ask for what an agent exports, by the names and labels it has.

type Panel = { title: string; targets?: { expr: string; legendFormat: string }[] }
type Rule = { alert: string; expr: string; annotations: { runbook: string } }

const folder = join(repository, 'docs/grafana')
const metricNames = (expr: string) => [...new Set(expr.match(/\b(?:edgereel|process)_\w+/g) ?? [])]
const labelsOf = ({ expr, legendFormat }: { expr: string; legendFormat: string }) => {
  const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
  const chosen = [...expr.matchAll(/(\w+)=~/g)].map(([, label = '']) => label)
  return [...shown, ...chosen].filter((label) => label !== 'instance') // Prometheus' own.
}

describe('docs/grafana', () => {
  const stack = new AsyncDisposableStack()
  let program: Program
  let camera: Awaited<ReturnType<typeof filmingCamera>>
  let panels: Panel[] = []
  let rules: Rule[] = []

  beforeAll(async () => {
    panels = JSON.parse(await readFile(join(folder, 'edgereel.json'), 'utf8')).panels
    rules = parse(await readFile(join(folder, 'alerts.yaml'), 'utf8')).groups[0].rules
    camera = stack.use(await filmingCamera())
    const grpcPort = await freePort()
    program = stack.use(
      await Program.start({
        config: [
          'cameras: { allow: [127.0.0.0/8] }',
          `grpc: { port: ${grpcPort} }`,
          'ring: { segmentSeconds: 1 }',
          `streams: { door: { source: "${camera.url}", ring: always } }`,
        ].join('\n'),
      }),
    )
    const client = stack.use(
      await MediaClient.open(`127.0.0.1:${grpcPort}`, { token: await program.adminToken() }),
    )
    const wanted = ['edgereel_grpc_latency_seconds_count', 'edgereel_ring_stream_seconds{']
    const handed = async () => {
      const text = await metrics()
      return wanted.every((name) => text.includes(name))
    }
    client.open({ name: 'door' }).on('data', () => undefined)
    await program.fetch('/agent/v1/streams', { headers: { authorization: 'Bearer nonsense' } }) // One that is refused.
    await program.until(handed, 20_000, 'pictures come')
  }, 60_000)
  afterAll(() => stack.disposeAsync())

  const metrics = async () => (await program.fetch('/metrics')).text()
  const samplesOf = (text: string, name: string) =>
    text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))

  test('every metric of the dashboard and of the alarms is exported', async () => {
    const exported = await metrics()
    const asked = [
      ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
      ...rules.map(({ expr }) => expr),
    ].flatMap(metricNames)
    expect(asked.length).toBeGreaterThan(40)
    const missing = asked.filter(
      (name) => !exported.includes(`# TYPE ${name.replace(/_(bucket|sum|count)$/, '')} `),
    )
    expect(missing).toEqual([])
  })

  test('with the labels by which they are chosen and shown', async () => {
    const exported = await metrics()
    const wrong = panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap((target) => {
        const [name = ''] = metricNames(target.expr)
        const samples = samplesOf(exported, name)
        return labelsOf(target)
          .filter((label) => !samples.some((sample) => sample.includes(`${label}="`)))
          .map((label) => `${title}: ${name} has no label ${label}`)
      }),
    )
    expect(wrong).toEqual([])
  })

  test('a camera that should record and has gone silent is seen in the figure of its alarm', async () => {
    const [silent] = rules
    expect(silent?.expr).toMatch(/^edgereel_recording_silent_seconds > 15$/)
    const seconds = async () =>
      Number(/edgereel_recording_silent_seconds\{stream="door"\} (\S+)/.exec(await metrics())?.[1])
    expect(await seconds()).toBeLessThan(1)
    camera.stall(true)
    await program.until(async () => (await seconds()) > 4, 20_000, 'it is silent')
    camera.stall(false)
    await program.until(async () => (await seconds()) < 1, 40_000, 'it is back')
  }, 70_000)

  test('every alarm names a heading of docs/operations.md', async () => {
    const text = await readFile(join(repository, 'docs/operations.md'), 'utf8')
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    )
    for (const { alert, annotations } of rules)
      expect(anchors, alert).toContain(annotations.runbook.replace('docs/operations.md#', ''))
  })

  test.skipIf(!hasProgram('promtool'))(
    'promtool finds the alarms right, and they fire when they should',
    () => {
      for (const args of [
        ['check', 'rules', 'alerts.yaml'],
        ['test', 'rules', 'alerts.test.yaml'],
      ])
        expect(execFileSync('promtool', args, { cwd: folder }).toString()).toMatch(/SUCCESS/)
    },
  )

  test.skipIf(!hasProgram('promtool'))('promtool finds what is exported right', async () => {
    const { stderr } = spawnSync('promtool', ['check', 'metrics'], { input: await metrics() })
    const complaints = stderr.toString().trim().split('\n')
    expect(complaints.filter((line) => line !== '' && !line.includes('"bits"'))).toEqual([]) // Cameras are set in bits.
  })
})
