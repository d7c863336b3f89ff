import { labelSetsMax } from '../../shared/limits.ts'

/** A small registry in the Prometheus text format (exposition format 0.0.4). Label sets are bounded: see `labelSetsMax`. */

export type Labels = Readonly<Record<string, string>>

type Sample = { suffix?: string; labels: Labels; value: number }
type Metric = { name: string; help: string; type: 'counter' | 'gauge' | 'histogram'; samples(): Sample[] }

export class Metrics {
  readonly #metrics = new Map<string, Metric>()

  counter(name: string, help: string): Counter {
    const counter = new Counter()
    this.#add({ name, help, type: 'counter', samples: () => counter.samples() })
    return counter
  }

  /** `read` is asked at each scrape: one value, or one for each set of labels. */
  gauge(name: string, help: string, read: () => number | { labels: Labels; value: number }[]): void {
    this.#add({ name, help, type: 'gauge', samples: () => readSamples(read) })
  }

  /** As `gauge`, for a figure that only grows and is counted elsewhere. */
  counterOf(name: string, help: string, read: () => number | { labels: Labels; value: number }[]): void {
    this.#add({ name, help, type: 'counter', samples: () => readSamples(read) })
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(bounds)
    this.#add({ name, help, type: 'histogram', samples: () => histogram.samples() })
    return histogram
  }

  /** One for each set of labels. */
  histograms(name: string, help: string, bounds: readonly number[]): { of(labels: Labels): Histogram } {
    const sets = new LabelSets(() => new Histogram(bounds))
    const samples = () =>
      sets
        .entries()
        .flatMap(({ labels, entry }) =>
          entry.samples().map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } })),
        )
    this.#add({ name, help, type: 'histogram', samples })
    return { of: (labels) => sets.get(labels) }
  }

  text(): string {
    return Array.from(this.#metrics.values(), metricText).join('')
  }

  #add(metric: Metric): void {
    if (this.#metrics.has(metric.name)) throw new Error(`metric ${metric.name} is there already`)
    this.#metrics.set(metric.name, metric)
  }
}

export class Counter {
  readonly #values = new LabelSets(() => ({ value: 0 }))

  add(labels: Labels = {}, amount = 1): void {
    this.#values.get(labels).value += amount
  }

  samples(): Sample[] {
    return this.#values.entries().map(({ labels, entry }) => ({ labels, value: entry.value }))
  }
}

export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Array<number>(bounds.length + 1).fill(0)
  }

  /** The same value, for `count` at once. */
  observe(value: number, count = 1): void {
    const above = this.#bounds.findIndex((bound) => value <= bound)
    const bucket = above < 0 ? this.#bounds.length : above
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count
    this.#sum += value * count
  }

  /** The bound below which this share of the values lies: 0 without any, the highest bound for what is beyond all. */
  quantile(share: number): number {
    const total = this.#counts.reduce((sum, count) => sum + count, 0)
    let below = 0
    for (const [i, bound] of this.#bounds.entries()) {
      below += this.#counts[i] ?? 0
      if (total > 0 && below >= share * total) return bound
    }
    return total > 0 ? (this.#bounds.at(-1) ?? 0) : 0
  }

  samples(): Sample[] {
    let below = 0
    const buckets = this.#counts.map((count, i) => {
      below += count
      return { suffix: '_bucket', labels: { le: String(this.#bounds[i] ?? '+Inf') }, value: below }
    })
    return [
      ...buckets,
      { suffix: '_sum', labels: {}, value: this.#sum },
      { suffix: '_count', labels: {}, value: below },
    ]
  }
}

/** One entry for each set of labels; past the limit all new ones share the entry `other`. */
class LabelSets<Entry> {
  readonly #make: () => Entry
  readonly #sets = new Map<string, { labels: Labels; entry: Entry }>()

  constructor(make: () => Entry) {
    this.#make = make
  }

  get(labels: Labels): Entry {
    const found = this.#sets.get(labelText(labels))
    if (found) return found.entry
    const full = this.#sets.size >= labelSetsMax
    const kept = full ? Object.fromEntries(Object.keys(labels).map((key) => [key, 'other'])) : labels
    const key = labelText(kept)
    const set = this.#sets.get(key) ?? { labels: kept, entry: this.#make() }
    this.#sets.set(key, set)
    return set.entry
  }

  entries(): { labels: Labels; entry: Entry }[] {
    return [...this.#sets.values()]
  }
}

/** One value for each of these labels. */
export function byLabel(label: string, entries: Iterable<readonly [string, number]>) {
  return Array.from(entries, ([key, value]) => ({ labels: { [label]: key }, value }))
}

function readSamples(read: () => number | { labels: Labels; value: number }[]): Sample[] {
  const values = read()
  return typeof values === 'number' ? [{ labels: {}, value: values }] : values.slice(0, labelSetsMax)
}

function metricText({ name, help, type, samples }: Metric): string {
  const lines = samples().map(({ suffix = '', labels, value }) => {
    return `${name}${suffix}${labelText(labels)} ${Number.isFinite(value) ? value : 0}\n`
  })
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
