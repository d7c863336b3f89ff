import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { historyAnswerMs, historyFileMs, historyListsMax } from '../../shared/vehicle-limits.ts'

/** Wall ms. */
export type TimeRange = { from: number; to: number }

/** One file in a vehicle (JT/T 1078-2016, 1205). */
export type HistoryItem = TimeRange & {
  media: 'av' | 'audio' | 'video' | 'av-or-video'
  stream: 'any' | 'main' | 'sub'
  memory: 'any' | 'main' | 'backup'
  sizeBytes: number
  /** Alarm flags, 64 bits, as the vehicle gave them. */
  alarm: string
}

type List = { asked: TimeRange; items: readonly HistoryItem[] }
type Waiting = { asked: TimeRange; resolve: (items: readonly HistoryItem[]) => void }

/** What vehicles say that they hold: asked for by a command, answered when the platform passes the answer back. */
export class HistoryLists {
  readonly #clock: Clock
  readonly #lists = new Map<string, List>()
  readonly #waiting = new Map<string, Set<Waiting>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `ask` sends the command. DeadlineExceeded when no answer is passed back. */
  async query(channel: string, asked: TimeRange, ask: () => void): Promise<readonly HistoryItem[]> {
    const { promise, resolve } = Promise.withResolvers<readonly HistoryItem[]>()
    const waiting = { asked, resolve }
    const others = this.#waiting.get(channel) ?? new Set()
    this.#waiting.set(channel, others.add(waiting))
    const answered = new AbortController()
    const late = this.#clock.sleep(historyAnswerMs, answered.signal).then(() => {
      throw new AppError('DeadlineExceeded', 'the vehicle did not say what it holds', {
        zh: '车辆没有返回录像列表。',
      })
    })
    try {
      ask()
      return await Promise.race([promise, late])
    } finally {
      answered.abort()
      late.catch(() => undefined)
      others.delete(waiting)
      if (others.size === 0 && this.#waiting.get(channel) === others) this.#waiting.delete(channel)
    }
  }

  /** An answer, whole. Who asked for this channel gets what lies in its range. False when nobody asked. */
  answer(channel: string, items: readonly HistoryItem[]): boolean {
    const waiting = [...(this.#waiting.get(channel) ?? [])]
    const sorted = items.toSorted((a, b) => a.from - b.from)
    for (const { asked, resolve } of waiting) resolve(within(sorted, asked))
    const asked = waiting.map((each) => each.asked)
    if (asked.length > 0) {
      const covered = covering(asked)
      const to = Math.min(covered.to, knownUntil(sorted, this.#clock.nowMs()))
      this.#keep(channel, { asked: { ...covered, to }, items: sorted })
    }
    return waiting.length > 0
  }

  /** What is held of a range; undefined when the vehicle was not asked for all of it. */
  known(channel: string, range: TimeRange): readonly HistoryItem[] | undefined {
    const list = this.#lists.get(channel)
    const covers = list && list.asked.from <= range.from && list.asked.to >= range.to
    return covers ? within(list.items, range) : undefined
  }

  #keep(channel: string, list: List): void {
    this.#lists.delete(channel)
    this.#lists.set(channel, list)
    const [oldest] = this.#lists.keys()
    if (this.#lists.size > historyListsMax && oldest !== undefined) this.#lists.delete(oldest)
  }
}

function within(items: readonly HistoryItem[], { from, to }: TimeRange): HistoryItem[] {
  return items.filter((item) => item.from < to && item.to > from)
}

/** What is recorded now, or will be, is in no list yet. */
function knownUntil(items: readonly HistoryItem[], nowMs: number): number {
  return Math.max(nowMs - historyFileMs, ...items.map(({ to }) => Math.min(to, nowMs)))
}

/** Of several who asked at once the last answer stands for the first range only, if they differ. */
function covering(ranges: readonly TimeRange[]): TimeRange {
  return {
    from: Math.max(...ranges.map(({ from }) => from)),
    to: Math.min(...ranges.map(({ to }) => to)),
  }
}
