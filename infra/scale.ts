import { readFile, writeFile } from 'node:fs/promises'
import { expireParallel } from '../shared/cloud-limits.ts'
import { rawKeepMs } from '../shared/limits.ts'
import {
  apiSeconds,
  cameraMonth,
  muxSecondsOf,
  perHeartbeat,
  perSegment,
  perThumbnail,
  stackFacts,
  type Template,
  totalOf,
  withPart,
} from './costs.ts'

/** Cameras that record always, so many at one agent, with segments of so many seconds. */
export type Fleet = { cameras: number; perAgent: number; segmentS: number; megabitsPerSecond: number }

export const fleet: Fleet = { cameras: 10_000, perAgent: 4, segmentS: 30, megabitsPerSecond: 2 }

// Of AWS, as of 2025: S3 user guide (Optimizing performance), DynamoDB developer guide (Quotas; Burst and adaptive
// capacity), Lambda and SQS developer guides (Quotas). `new`: before use or a request has raised it.
const aws = {
  putsPerPrefix: 3500,
  getsPerPrefix: 5500,
  partitionWrites: 1000,
  newTable: { writes: 4000, reads: 12_000 },
  runsAtOnce: 1000,
  inFlight: 120_000,
}
const expireRequestS = 0.02
const expireRequests = 5 // One look at the MP4, two deletions, the row read and written.
const indexWrites = 2 // Of a row of less than 1 kB: into the partition of unfinished work, and out of it.
const perFileAndAgent = 3 // Pictures, index, manifest below `raw/<agent>/`.

export type Limit = {
  what: string
  /** What the fleet asks, and what there is, in the same unit. */
  asked: number
  there: number
  unit: string
  lift: string
}

/** What may be set, read from the stack. */
function settingsOf({ Resources }: Template) {
  const all = Object.values(Resources)
  const stage = all.find(({ Type }) => Type === 'AWS::ApiGatewayV2::Stage')?.Properties
  const route = stage?.DefaultRouteSettings as { ThrottlingRateLimit: number } | undefined
  const sources = all.filter(({ Type }) => Type === 'AWS::Lambda::EventSourceMapping')
  const runsOf = (name: string) => {
    const of = sources.find(({ Properties }) =>
      JSON.stringify(Properties.EventSourceArn).includes(`"${name}`),
    )
    const scaling = of?.Properties.ScalingConfig as { MaximumConcurrency: number } | undefined
    if (!scaling) throw new Error(`the template bounds no runs of ${name}`)
    return scaling.MaximumConcurrency
  }
  const batch = Number(
    sources
      .map(({ Properties }) => Properties.BatchSize)
      .sort()
      .at(-1),
  )
  return { apiRate: route?.ThrottlingRateLimit ?? 0, runsOf, batch }
}

/** All limits, the first to be met first. */
export function limitsOf({ cameras, perAgent, segmentS }: Fleet, template: Template): Limit[] {
  const { apiRate, runsOf, batch } = settingsOf(template)
  const segments = cameras / segmentS
  const heartbeats = cameras / perAgent / 60
  const thumbnails = cameras / 600
  const calls = segments * perSegment.apiCalls + heartbeats * perHeartbeat.apiCalls
  const muxRuns = segments * muxSecondsOf(segmentS)
  const thumbnailRuns = thumbnails * perThumbnail.seconds
  const units = (unit: 'readUnits' | 'writeUnits') =>
    segments * perSegment[unit] + thumbnails * perThumbnail[unit] + heartbeats * perHeartbeat[unit]
  const quota = 'the account’s quota *Concurrent executions*'
  const limits: Limit[] = [
    {
      ...{ what: 'calls of the API', asked: calls, there: apiRate, unit: 'a second' },
      lift: '`requestsPerS` in infra/api-door.ts, up to 10,000 a second of an account and region',
    },
    {
      ...{ what: 'runs of mux at once', asked: muxRuns, there: runsOf('mux'), unit: 'runs' },
      lift: '`concurrencyMax` in infra/functions.ts, up to 1000',
    },
    {
      ...{ what: 'runs of thumbnail at once', asked: thumbnailRuns, there: runsOf('thumbnail') },
      ...{ unit: 'runs', lift: '`concurrencyMax`; pictures only come late until then' },
    },
    {
      ...{ what: 'runs of all functions at once', asked: muxRuns + thumbnailRuns + calls * apiSeconds },
      ...{ there: aws.runsAtOnce, unit: 'runs', lift: `${quota}; 10 in a new account` },
    },
    {
      ...{ what: 'segments that expire deletes', asked: segments, unit: 'a second' },
      ...{ there: expireParallel / (expireRequests * expireRequestS) },
      lift: '`expireParallel` in shared/cloud-limits.ts; until then raw files stay longer',
    },
    {
      ...{ what: 'writes to the partition of unfinished work', asked: segments * indexWrites },
      ...{ there: aws.partitionWrites, unit: 'units a second' },
      lift: 'a digit in the partition keys of `work` (cloud/rows/keys.ts): each multiplies it',
    },
    {
      ...{ what: 'writes to the table', asked: units('writeUnits'), there: aws.newTable.writes },
      ...{ unit: 'units a second', lift: 'grows by itself, doubling in half an hour; 40,000 is the quota' },
    },
    {
      ...{ what: 'reads of the table', asked: units('readUnits'), there: aws.newTable.reads },
      ...{ unit: 'units a second', lift: 'as its writes' },
    },
    {
      ...{ what: 'PUTs to the bucket', asked: segments * perSegment.puts, there: aws.putsPerPrefix },
      ...{ unit: 'a second', lift: 'S3 splits by prefix as it grows: each agent may become one' },
    },
    {
      ...{ what: 'GETs from the bucket', asked: segments * perSegment.gets, there: aws.getsPerPrefix },
      ...{ unit: 'a second', lift: 'as its PUTs' },
    },
    {
      ...{ what: 'messages in flight', asked: runsOf('mux') * batch, there: aws.inFlight, unit: 'messages' },
      lift: 'a quota request',
    },
  ]
  return limits.sort((a, b) => fits(cameras, a) - fits(cameras, b))
}

const fits = (cameras: number, { asked, there }: Limit): number => (cameras * there) / asked

/** The chapter, in Markdown. */
export function scaleTable(of: Fleet, template: Template): string {
  const { cameras, perAgent, segmentS, megabitsPerSecond } = of
  const round = (value: number) =>
    Math.round(value < 100 ? value : Number(value.toPrecision(3))).toLocaleString('en-US')
  const limits = limitsOf(of, template)
  const { runsOf } = settingsOf(template)
  const segments = cameras / segmentS
  const done = runsOf('mux') / muxSecondsOf(segmentS)
  const growth = Math.max(0, segments - done)
  const use = { name: '', megabitsPerSecond, hours: 720, keptDays: 30, exported: false, segmentS }
  const dollars = totalOf(cameraMonth(use, stackFacts(template)))
  const rawBytes = ((cameras * megabitsPerSecond * 1e6) / 8) * (rawKeepMs / 1000)
  return [
    `${round(cameras)} cameras of ${megabitsPerSecond} Mb/s, ${perAgent} at each agent, recorded always in segments of ${segmentS} s: ${round(segments)} segments a second.`,
    '',
    '| what | asked | there is | cameras that fit | what lifts it |',
    '|---|---:|---:|---:|---|',
    ...limits.map(
      (limit) =>
        `| ${limit.what} | ${round(limit.asked)} ${limit.unit} | ${round(limit.there)} | ${round(fits(cameras, limit))} | ${limit.lift} |`,
    ),
    '',
    `The first limit is *${limits[0]?.what}*. At one agent’s prefix there are ${((perAgent / segmentS) * perFileAndAgent).toFixed(1)} PUTs a second. With the limits as they are the mux does ${round(done)} segments a second and its queue grows by ${round(growth)} a second (${round(growth * 3600)} in an hour; messages live 14 days, agents keep what is not confirmed); once \`concurrencyMax\` is ${round(segments * muxSecondsOf(segmentS))} or more it stays empty but for what is at work. Costs: $${dollars.toFixed(2)} a camera and month, $${round(dollars * cameras)} in all; ${round(rawBytes / 1e12)} TB of it lie twice, for a day, as raw files.`,
  ].join('\n')
}

const marks = [
  '<!-- scale: node infra/scale.ts cdk.out/edgereel.template.json docs/operations.md -->',
  '<!-- /scale -->',
] as const

/** The document with the chapter between its marks; as it is when it has none. */
export const withScale = (document: string, table: string): string => withPart(document, marks, table)

if (import.meta.main) {
  const [templatePath = 'cdk.out/edgereel.template.json', documentPath] = process.argv.slice(2)
  const table = scaleTable(fleet, JSON.parse(await readFile(templatePath, 'utf8')) as Template)
  process.stdout.write(`${table}\n`)
  if (documentPath) await writeFile(documentPath, withScale(await readFile(documentPath, 'utf8'), table))
}
