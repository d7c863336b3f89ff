import type { App } from 'aws-cdk-lib'
import { z } from 'zod'

/** What may be set with `-c key=value` or in cdk.json. An empty string is as good as none. */
const settings = z.strictObject({
  /** Of the stack: a second installation in one account and region has another. */
  stack: z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,60}$/),
  /** arm64 costs a fifth less for the same work. */
  arch: z.enum(['arm64', 'x86_64']),
  /** A static Linux binary of this architecture; absent: where `findFfmpeg` looks. */
  ffmpeg: z.string().min(1).optional(),
  /** Who is told of alarms and of the budget; absent: only the topic. */
  alarmEmail: z.email().optional(),
  /** US dollars a month, of the whole account. */
  budgetUsd: z.coerce.number().positive(),
  /** What ended longer ago and is not on hold is deleted; absent: nothing is. */
  keepDays: z.coerce.number().int().min(1).max(36_500).optional(),
  /** Where people reach the page and the API, when that is a domain of one's own. */
  publicUrl: z.url({ protocol: /^https$/ }).optional(),
})
export type Settings = z.infer<typeof settings>

const defaults = { stack: 'edgereel', arch: 'arm64', budgetUsd: 50 }

/** Throws with the first broken rule. */
export function readSettings(app: App): Settings {
  const given = Object.keys(settings.shape).map((key) => [key, app.node.tryGetContext(key) as unknown])
  const set = given.filter(([, value]) => value !== undefined && value !== '')
  const parsed = settings.safeParse({ ...defaults, ...Object.fromEntries(set) })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new Error(`cdk context ${issue?.path.join('.')}: ${issue?.message}`)
}
