import { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import { type QueueName, queueNames } from '../ports.ts'

/** What the stack tells a function: names of things, no secrets. */
export type Environment = {
  bucket: string
  table: string
  /** URLs of each queue and of its dead letters. */
  queues: Record<QueueName, { url: string; deadUrl: string }>
}

const text = z.string().min(1)
const url = z.url()
const schema = z.object({
  EDGEREEL_BUCKET: text,
  EDGEREEL_TABLE: text,
  ...Object.fromEntries(
    queueNames.flatMap((name) => [variable(name), `${variable(name)}_DLQ`].map((key) => [key, url])),
  ),
})

/** Throws `FailedPrecondition` that names the first variable which is missing or wrong. */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const parsed = schema.safeParse(env)
  if (!parsed.success) {
    const name = parsed.error.issues[0]?.path.join('.')
    throw new AppError('FailedPrecondition', `The environment variable ${name} is missing or not valid.`)
  }
  const values: Record<string, string> = parsed.data
  const urlsOf = (name: QueueName) => ({
    url: values[variable(name)] ?? '',
    deadUrl: values[`${variable(name)}_DLQ`] ?? '',
  })
  return {
    bucket: parsed.data.EDGEREEL_BUCKET,
    table: parsed.data.EDGEREEL_TABLE,
    queues: {
      mux: urlsOf('mux'),
      thumbnail: urlsOf('thumbnail'),
      export: urlsOf('export'),
      beatsync: urlsOf('beatsync'),
    },
  }
}

function variable(name: QueueName): string {
  return `EDGEREEL_QUEUE_${name.toUpperCase()}`
}

/** How long the archive keeps what nobody put on hold (`-c keepDays=30`); undefined: for ever. */
export function readKeepMs(env: NodeJS.ProcessEnv): number | undefined {
  const { EDGEREEL_KEEP_DAYS: days } = env
  if (days === undefined) return undefined
  if (/^[1-9]\d{0,4}$/.test(days)) return Number(days) * 86_400_000
  throw new AppError('FailedPrecondition', 'EDGEREEL_KEEP_DAYS is a number of whole days, 1 or more.')
}
