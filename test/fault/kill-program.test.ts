import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { simPhone } from '../../agent/sim/phone.ts'
import type { PhoneInfo, PhonesAnswer } from '../../shared/contract/agent-api.ts'
import { parseIndex } from '../../shared/media/index.ts'
import { unitFlag } from '../../shared/media/index-record.ts'
import { freePort, Program } from '../support/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const kills = Number(process.env.EDGEREEL_KILLS ?? 5) // 50 and 200: by hand and nightly (docs/operations.md).
const names = ['left', 'right']

test(
  `${kills} times kill -9 while two phones record: every picture with an index record is in the archive`,
  async () => {
    await using directory = await temporaryDirectory()
    const port = await freePort()
    const stop = new AbortController()
    let program = await Program.start({ data: directory.path, port })
    const phones: Promise<void>[] = []
    for (const name of names) {
      const token = await program.publisherToken(name)
      phones.push(simPhone({ url: `ws://127.0.0.1:${port}/android-cam`, token, signal: stop.signal }))
    }
    try {
      await program.until(
        async () => (await capturing(program, 'ready')) === names.length,
        60_000,
        'two phones',
      )
      const { recording } = await program.post<PhonesAnswer>('/agent/v1/phones/start', { fps: 25 })
      expect(recording).toBeDefined()
      const written = new Map<string, number>()
      for (let n = 0; n < kills; n++) {
        await sleep(300 + Math.random() * 1500)
        await program.kill()
        for (const [segment, units] of await writtenUnits(directory.path)) written.set(segment, units)
        program = await Program.start({ data: directory.path, port })
        await program.until(
          async () => (await capturing(program, 'capturing')) === names.length,
          60_000,
          'the phones back',
        )
      }
      await sleep(500)
      await program.post('/agent/v1/phones/stop')
      const detail = await program.ready(recording ?? '', 60_000)

      expect(detail.streams.map(({ name }) => name).toSorted()).toEqual(names)
      for (const stream of detail.streams) {
        const listed = new Map(
          stream.segments.map(({ epoch, seq }) => [`${stream.name}/${epoch}-${seq}`, true]),
        )
        const mine = [...written].filter(([segment]) => segment.startsWith(`${stream.name}/`))
        // Every segment that held a picture when the program was killed belongs to the recording …
        expect(mine.filter(([segment, units]) => units > 0 && !listed.has(segment))).toEqual([])
        // … and what its manifest counts is at least what its index vouched for.
        const archived = await archivedUnits(directory.path, stream.name)
        for (const [segment, units] of mine)
          expect(archived.get(segment) ?? 0, segment).toBeGreaterThanOrEqual(units)
        expect(stream.units).toBe([...archived.values()].reduce((sum, units) => sum + units, 0))
        const crashes = stream.gaps.filter(({ cause }) => cause === 'crash')
        expect(crashes.length).toBe(kills)
        for (const gap of crashes) expect(gap.to).toBeGreaterThan(gap.from)
      }
      expect((await program.recordings()).length).toBe(1)
    } finally {
      stop.abort()
      await program.kill()
      await Promise.allSettled(phones)
    }
  },
  60_000 + kills * 30_000,
)

async function capturing(program: Program, state: PhoneInfo['state']): Promise<number> {
  const { phones } = await program.json<{ phones: PhoneInfo[] }>('/agent/v1/phones')
  return phones.filter((phone) => phone.state === state).length
}

/** Pictures for which the index has a whole record, by segment, as the files lie there after a kill. */
async function writtenUnits(data: string): Promise<Map<string, number>> {
  const units = new Map<string, number>()
  for (const stream of names) {
    for (const file of await readdir(join(data, 'ring', stream)).catch(() => [])) {
      const match = /^0*(\d+)-0*(\d+)\.idx(\.part)?$/.exec(file)
      if (!match) continue
      const bytes = await readFile(join(data, 'ring', stream, file))
      units.set(`${stream}/${match[1]}-${match[2]}`, countUnits(bytes))
    }
  }
  return units
}

function countUnits(bytes: Uint8Array): number {
  if (bytes.length < 64) return 0
  const { records } = parseIndex(bytes, { tolerateTail: true })
  let count = 0
  for (let i = 0; i < records.length; i++) {
    if (records.kind(i) === 'unit' && (records.flags(i) & unitFlag.duplicate) === 0) count += 1
  }
  return count
}

async function archivedUnits(data: string, stream: string): Promise<Map<string, number>> {
  const units = new Map<string, number>()
  const [agent = ''] = await readdir(join(data, 'archive/raw'))
  const directory = join(data, 'archive/raw', agent, stream)
  for (const file of await readdir(directory)) {
    const match = /^0*(\d+)-0*(\d+)\.json$/.exec(file)
    if (!match) continue
    const manifest = JSON.parse(await readFile(join(directory, file), 'utf8')) as { video: { units: number } }
    units.set(`${stream}/${match[1]}-${match[2]}`, manifest.video.units)
  }
  return units
}
