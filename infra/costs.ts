import { readFile, writeFile } from 'node:fs/promises'
import { rawKeepMs } from '../shared/limits.ts'
import { prices, pricesOf } from './prices.ts'

/** What one segment asks of AWS, from its addresses to the deletion of its raw file (test/unit/infra/costs.test.ts counts it). */
export const perSegment = {
  apiCalls: 2,
  puts: 4,
  gets: 8,
  readUnits: 14.8,
  writeUnits: 8,
  messages: 1,
}
/** One in ten minutes: a picture of an `always` stream. Puts, gets and messages as above. */
export const perThumbnail = { puts: 1, gets: 2, readUnits: 4, writeUnits: 4, messages: 1, seconds: 2 }
/** Once a minute and agent. */
export const perHeartbeat = { apiCalls: 1, readUnits: 2, writeUnits: 2 }

/**
 * Estimated, not measured on Lambda: on one core here a segment of 15 MB takes 0.2 s, and 512 MB are 0.29 of a core.
 * A quarter of it does not depend on the length.
 */
export const muxSecondsOf = (segmentS: number): number => 0.3 + 0.9 * (segmentS / 60)
export const apiSeconds = 0.05
const expireSeconds = 1
const exportBytesPerSecond = 60e6
const rowBytes = 3000 // With its copies in the indexes.
const logBytes = { run: 600, apiCall: 900 }
const pollersPerQueue = 5 // Lambda's, each asking every 20 s while nothing is there.

const gib = 2 ** 30
const hourS = 3600
const monthDays = 30
const segmentSDefault = 60

export type Use = {
  name: string
  megabitsPerSecond: number
  hours: number
  keptDays: number
  /** Recordings are made into files, which are kept as long. */
  exported: boolean
  segmentS?: number
}

export type Template = { Resources: Record<string, { Type: string; Properties: Record<string, unknown> }> }
export type Lines = Record<'storage' | 'requests' | 'lambda' | 'api' | 'queues' | 'table' | 'logs', number>

/** What the model takes from the stack: memory by function, architecture, alarms, event sources. */
export function stackFacts({ Resources }: Template) {
  const all = Object.entries(Resources)
  const of = (type: string) => all.filter(([, resource]) => resource.Type === type)
  const functions = of('AWS::Lambda::Function')
  const memoryGb = (name: string) => {
    const found = functions.find(([id]) => id.startsWith(name))?.[1].Properties.MemorySize
    if (typeof found !== 'number') throw new Error(`the template has no function ${name}`)
    return found / 1024
  }
  const architectures = JSON.stringify(functions[0]?.[1].Properties.Architectures)
  return {
    memoryGb,
    arch: architectures.includes('arm64') ? ('arm64' as const) : ('x86_64' as const),
    alarms: of('AWS::CloudWatch::Alarm').length,
    sources: of('AWS::Lambda::EventSourceMapping').length,
  }
}
type Facts = ReturnType<typeof stackFacts>

/** US dollars a month of one camera, once as much is deleted as is added. */
export function cameraMonth(use: Use, facts: Facts): Lines {
  const { segmentS = segmentSDefault } = use
  const seconds = use.hours * hourS
  const segments = seconds / segmentS
  const thumbnails = seconds / 600
  const heartbeats = (monthDays * 24 * hourS) / 60
  const gbMonthly = (seconds * use.megabitsPerSecond * 1e6) / 8 / gib
  const kept = gbMonthly * (use.keptDays / monthDays)
  const raw = gbMonthly * (rawKeepMs / 86_400_000 / monthDays)
  const gbSecond = prices.gbSecond[facts.arch]
  const exportSeconds = use.exported ? (gbMonthly * gib) / exportBytesPerSecond : 0
  const apiCalls = segments * perSegment.apiCalls + heartbeats * perHeartbeat.apiCalls
  const messages = segments * perSegment.messages + thumbnails * perThumbnail.messages
  const gbSeconds =
    segments * muxSecondsOf(segmentS) * facts.memoryGb('mux') +
    thumbnails * perThumbnail.seconds * facts.memoryGb('thumbnail') +
    exportSeconds * facts.memoryGb('export') +
    apiCalls * apiSeconds * facts.memoryGb('api')
  const total = (unit: 'puts' | 'gets') => segments * perSegment[unit] + thumbnails * perThumbnail[unit]
  const units = (unit: 'readUnits' | 'writeUnits') =>
    segments * perSegment[unit] + thumbnails * perThumbnail[unit] + heartbeats * perHeartbeat[unit]
  const rows = (segments * (use.keptDays / monthDays) * rowBytes) / gib
  return {
    storage: (kept + raw) * prices.storageGbMonth + (use.exported ? kept * prices.rarelyReadGbMonth : 0),
    requests: total('puts') * prices.put + total('gets') * prices.get,
    lambda: gbSeconds * gbSecond + (messages + apiCalls) * prices.run,
    api: apiCalls * prices.apiCall,
    queues: 3 * messages * prices.queueCall, // Sent, received, deleted.
    table:
      units('writeUnits') * prices.writeUnit +
      units('readUnits') * prices.readUnit +
      rows * prices.tableGbMonth,
    logs: ((messages * logBytes.run + apiCalls * logBytes.apiCall) / gib) * prices.logGb,
  }
}

/** US dollars a month of a stack to which no camera is connected. */
export function emptyStackMonth(facts: Facts): { polling: number; alarms: number; expire: number } {
  const minutes = monthDays * 24 * 60
  const runs = minutes / 10
  return {
    polling: facts.sources * pollersPerQueue * 3 * minutes * prices.queueCall,
    alarms: facts.alarms * prices.alarmMonth,
    expire: runs * (expireSeconds * facts.memoryGb('expire') * prices.gbSecond[facts.arch] + prices.run),
  }
}

export const totalOf = (lines: Record<string, number>): number =>
  Object.values(lines).reduce((a, b) => a + b, 0)

export const uses: Use[] = [
  { name: 'always, kept 30 days', megabitsPerSecond: 2, hours: 720, keptDays: 30, exported: false },
  {
    name: 'recordings of 8 h on 22 days, kept 30 days',
    megabitsPerSecond: 2,
    hours: 176,
    keptDays: 30,
    exported: false,
  },
  {
    name: 'the same, and each made into files',
    megabitsPerSecond: 2,
    hours: 176,
    keptDays: 30,
    exported: true,
  },
]

/** The chapter's table, in Markdown. */
export function costTable(template: Template): string {
  const facts = stackFacts(template)
  const dollars = (value: number) => value.toFixed(2)
  const columns = ['storage', 'requests', 'lambda', 'api', 'queues', 'table', 'logs'] as const
  const row = (use: Use) => {
    const lines = cameraMonth(use, facts)
    return `| ${[use.name, ...columns.map((key) => dollars(lines[key])), `**${dollars(totalOf(lines))}**`].join(' | ')} |`
  }
  const { polling, alarms, expire } = emptyStackMonth(facts)
  const empty = dollars(polling + alarms + expire)
  return [
    `| one camera of 2 Mb/s | ${columns.join(' | ')} | $ a month |`,
    `|---|${columns.map(() => '---:|').join('')}---:|`,
    ...uses.map(row),
    '',
    `The stack itself, without a camera: $${empty} (queues that are asked for messages $${dollars(polling)}, ${facts.alarms} alarms $${dollars(alarms)}, deletion $${dollars(expire)}). Prices of ${pricesOf}, without free tiers and taxes. What is watched and downloaded costs $${prices.egressGb} a GB on top, after 100 GB a month.`,
  ].join('\n')
}

const marks = [
  '<!-- costs: node infra/costs.ts cdk.out/edgereel.template.json docs/operations.md -->',
  '<!-- /costs -->',
] as const

/** The document with the table between its marks; as it is when it has none. */
export const withCosts = (document: string, table: string): string => withPart(document, marks, table)

export function withPart(document: string, [begin, end]: readonly [string, string], part: string): string {
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from < 0 || to < from) return document
  return `${document.slice(0, from + begin.length)}\n${part}\n${document.slice(to)}`
}

if (import.meta.main) {
  const [templatePath = 'cdk.out/edgereel.template.json', documentPath] = process.argv.slice(2)
  const table = costTable(JSON.parse(await readFile(templatePath, 'utf8')) as Template)
  process.stdout.write(`${table}\n`)
  if (documentPath) await writeFile(documentPath, withCosts(await readFile(documentPath, 'utf8'), table))
}
