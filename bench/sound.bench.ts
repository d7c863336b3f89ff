/**
 * What sound costs that is not AAC: live, one FFmpeg for each stream that somebody listens to (CPU and memory of a child,
 * CPU of the agent's thread for it, how much later a frame is there than the unit it begins in), and in an export.
 *   node bench/sound.bench.ts [--streams 20] [--seconds 20]
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AacConverter } from '../agent/play/aac-converter.ts'
import { aacTrack } from '../cloud/jobs/export-sound.ts'
import type { AudioConfig } from '../shared/media/access-unit.ts'
import { adpcmConfig, g711Config, g726Config } from '../shared/media/sound-config.ts'
import { systemClock } from '../shared/node/clock.ts'
import { findFfmpeg } from '../shared/node/find-ffmpeg.ts'
import { adpcmUnits, cutUnits, noise, rawSound, soundUnit } from '../test/support/sound-units.ts'
import { numbers, table } from './support/figures.ts'

const options = numbers({ streams: 20, seconds: 20 })
const found = await findFfmpeg()
if (!found) throw new Error('FFmpeg is needed')
const bin = found

const source = noise(8000 * 10)
type Kind = { name: string; config: AudioConfig; units: Uint8Array[] }
const kinds: Kind[] = [
  {
    name: 'G.711 A-law',
    config: g711Config('g711a'),
    units: cutUnits(rawSound(source, 8000, ['-f', 'alaw']), 320),
  },
  {
    name: 'G.726, 32 kbit/s',
    config: g726Config({ bits: 4, lowFirst: false }),
    units: cutUnits(rawSound(source, 8000, ['-c:a', 'g726', '-b:a', '32k', '-f', 'g726']), 160),
  },
  { name: 'ADPCM', config: adpcmConfig(), units: adpcmUnits(source, 320) },
]

type Child = { cpuMs: number; rssMb: number; ownMb: number }

/** Our children, as /proc tells. */
async function children(): Promise<Child[]> {
  const all: Child[] = []
  for (const pid of await readdir('/proc')) {
    const [stat = '', status = ''] = await Promise.all(
      ['stat', 'status'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
    )
    const [, , ppid, ...rest] = stat.slice(stat.lastIndexOf(')')).split(' ')
    if (Number(ppid) !== process.pid) continue
    const mb = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024
    all.push({ cpuMs: (Number(rest[9]) + Number(rest[10])) * 10, rssMb: mb('VmRSS'), ownMb: mb('RssAnon') })
  }
  return all
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)

async function live({ name, config, units }: Kind, streams: number) {
  const late: number[] = []
  const converters = Array.from(
    { length: streams },
    () =>
      new AacConverter({
        ...{ bin, config, clock: systemClock, random: Math.random },
        onUnit: ({ arrivalMs }) => late.push(systemClock.monotonicMs() - arrivalMs),
        onFailed: (why) => console.log(`a child failed: ${why}`),
      }),
  )
  const until = performance.now() + (options.seconds + 2) * 1000
  const feed = async () => {
    const beganMs = performance.now()
    for (let n = 0; performance.now() < until; n += 1) {
      const unit = soundUnit(config, units[n % units.length] ?? new Uint8Array(), n * 40)
      for (const converter of converters) converter.push({ ...unit, arrivalMs: systemClock.monotonicMs() })
      await sleep(Math.max(0, beganMs + (n + 1) * 40 - performance.now()))
    }
  }
  const feeding = feed()
  await sleep(2000)
  const [before, own, startedMs] = [await children(), process.cpuUsage(), performance.now()]
  late.length = 0
  await feeding
  const [after, mine] = [await children(), process.cpuUsage(own)]
  const seconds = (performance.now() - startedMs) / 1000
  for (const converter of converters) converter[Symbol.dispose]()
  const cpuMs = sumOf(after.map((child) => child.cpuMs)) - sumOf(before.map((child) => child.cpuMs))
  late.sort((a, b) => a - b)
  return [
    `${name}, ${streams}`,
    `${(cpuMs / 10 / seconds / streams).toFixed(2)} %`,
    `${((mine.user + mine.system) / 10_000 / seconds / streams).toFixed(2)} %`,
    (sumOf(after.map(({ rssMb }) => rssMb)) / after.length).toFixed(0),
    (sumOf(after.map(({ ownMb }) => ownMb)) / after.length).toFixed(0),
    `${late[late.length >> 1]?.toFixed(0)} / ${late[Math.floor(late.length * 0.99)]?.toFixed(0)}`,
  ]
}

async function exported({ name, config, units }: Kind) {
  const hours = 1
  const directory = await mkdtemp(join(tmpdir(), 'edgereel-bench-'))
  const all = async function* () {
    for (let n = 0; n < hours * 90_000; n += 1) {
      yield { ptsMs: n * 40, bytes: units[n % units.length] ?? new Uint8Array() }
    }
  }
  const beganMs = performance.now()
  await aacTrack({
    bin,
    config,
    units: all(),
    fromMs: 0,
    directory,
    source: 0,
    signal: new AbortController().signal,
  })
  const seconds = (performance.now() - beganMs) / 1000
  await rm(directory, { recursive: true })
  const rssMb = process.memoryUsage.rss() / 1e6
  return [name, `${seconds.toFixed(1)} s`, `${(3600 / seconds).toFixed(0)} ×`, rssMb.toFixed(0)]
}

const rows: string[][] = []
for (const kind of kinds) rows.push(await live(kind, 1))
if (kinds[0]) rows.push(await live(kinds[0], options.streams))
const heads = [
  'live',
  'child, of a core',
  'our thread',
  'RSS, MB',
  'of its own, MB',
  'late, ms: median / p99',
]
console.log(table(heads, rows))
const made: string[][] = []
for (const kind of kinds) made.push(await exported(kind))
console.log(table(['export of an hour', 'took', 'of real time', 'our RSS, MB'], made))
process.exit()
