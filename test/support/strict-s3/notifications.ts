import { Refusal } from './refusal.ts'

export type Rule = { queueArn: string; events: string[]; prefix: string; suffix: string }

/** Reads a NotificationConfiguration. S3 refuses two rules of one event that a single key could both match. */
export function parseNotifications(xml: string): Rule[] {
  const rules = [...xml.matchAll(/<QueueConfiguration>([\s\S]*?)<\/QueueConfiguration>/g)].map(
    ([, rule = '']) => ({
      queueArn: /<Queue>(.*?)<\/Queue>/.exec(rule)?.[1] ?? '',
      events: [...rule.matchAll(/<Event>(.*?)<\/Event>/g)].map(([, event = '']) => event),
      prefix: filterOf(rule, 'prefix'),
      suffix: filterOf(rule, 'suffix'),
    }),
  )
  rules.forEach((a, i) => {
    for (const b of rules.slice(i + 1)) {
      if (overlap(a, b))
        throw new Refusal(
          400,
          'InvalidArgument',
          'Configurations overlap. Configurations on the same bucket cannot share a common event type.',
        )
    }
  })
  return rules
}

export function matches({ prefix, suffix, events }: Rule, event: string, key: string): boolean {
  return events.some((wanted) => sharesEvent(wanted, event)) && key.startsWith(prefix) && key.endsWith(suffix)
}

function filterOf(rule: string, name: string): string {
  const found = [...rule.matchAll(/<FilterRule>([\s\S]*?)<\/FilterRule>/g)].map(([, text = '']) => text)
  const own = found.find((text) => new RegExp(`<Name>${name}</Name>`, 'i').test(text))
  return /<Value>(.*?)<\/Value>/.exec(own ?? '')?.[1] ?? ''
}

function overlap(a: Rule, b: Rule): boolean {
  const prefixes = a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix)
  const suffixes = a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix)
  return prefixes && suffixes && a.events.some((x) => b.events.some((y) => sharesEvent(x, y)))
}

/** `s3:ObjectCreated:*` stands for each of its kind. */
function sharesEvent(a: string, b: string): boolean {
  const [x, y] = [a, b].map((event) => event.replace(/\*$/, ''))
  return x !== undefined && y !== undefined && (x.startsWith(y) || y.startsWith(x))
}

/** The message that S3 sends (event schema 2.1). Keys are written as in a form: a space is a plus. */
export function eventMessage(of: {
  event: string
  bucket: string
  key: string
  sizeBytes: number
  etag: string
  nowMs: number
}): string {
  const key = of.key.split('/').map(encodeURIComponent).join('/').replaceAll('%20', '+')
  const s3 = {
    s3SchemaVersion: '1.0',
    bucket: { name: of.bucket, arn: `arn:aws:s3:::${of.bucket}` },
    object: { key, size: of.sizeBytes, eTag: of.etag, sequencer: of.nowMs.toString(16).toUpperCase() },
  }
  const eventTime = new Date(of.nowMs).toISOString()
  const eventName = of.event.replace('s3:', '')
  return JSON.stringify({
    Records: [{ eventVersion: '2.1', eventSource: 'aws:s3', eventTime, eventName, s3 }],
  })
}
