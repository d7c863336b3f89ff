import { AppError } from '../../shared/error.ts'
import { requiredPollMs, sourceKeyFrameMs, sourceSilenceMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Hub } from '../hub/hub.ts'
import type { Sources } from '../ingest/sources.ts'

export type RequiredParts = {
  hub: Pick<Hub, 'stream'>
  sources: Pick<Sources, 'hold' | 'info'>
  clock: Clock
}

type Reason = { en: string; zh: string }

/**
 * Waits until all of these streams give pictures; cameras that are fetched from are connected for it, and stay so
 * until the answer is disposed. `FailedPrecondition` when one does not: it says which, and why.
 */
export async function awaitRequired(names: readonly string[], parts: RequiredParts): Promise<Disposable> {
  using held = new DisposableStack()
  const watched = names.map((name) => new Required(name, parts))
  for (const one of watched) held.use(one)
  const endMs = parts.clock.monotonicMs() + sourceKeyFrameMs
  for (;;) {
    const isLate = parts.clock.monotonicMs() > endMs
    const waiting = watched.filter((one) => one.state() === 'waiting')
    if (waiting.length === 0 || isLate) break
    await parts.clock.sleep(requiredPollMs)
  }
  const absent = watched.flatMap((one) => one.absence() ?? [])
  if (absent.length > 0) throw missing(absent)
  return held.move()
}

class Required implements Disposable {
  readonly #name: string
  readonly #parts: RequiredParts
  readonly #hold: Disposable | undefined
  readonly #failuresBefore: number

  constructor(name: string, parts: RequiredParts) {
    this.#name = name
    this.#parts = parts
    this.#failuresBefore = parts.sources.info(name)?.status.failures ?? 0
    this.#hold = parts.sources.hold(name)
  }

  state(): 'there' | 'waiting' | 'absent' {
    const status = this.#parts.sources.info(this.#name)?.status
    if (!status) return this.#sends() ? 'there' : 'absent'
    if (status.state === 'live') return this.#sends() ? 'there' : 'waiting'
    // Offline from before: it is tried again for us, unless its password was refused.
    const isTried = status.failures > this.#failuresBefore || status.error?.kind === 'Unauthenticated'
    return status.state === 'offline' && isTried ? 'absent' : 'waiting'
  }

  /** Undefined when it is there. */
  absence(): (Reason & { name: string }) | undefined {
    if (this.state() === 'there') return undefined
    const status = this.#parts.sources.info(this.#name)?.status
    const error = status?.error
    if (error) return { name: this.#name, en: error.message, zh: error.messageZh ?? error.message }
    if (!status) return { name: this.#name, en: 'nobody sends it now', zh: '当前没有来源' }
    return { name: this.#name, en: 'no picture came in time', zh: '未能及时收到画面' }
  }

  [Symbol.dispose](): void {
    this.#hold?.[Symbol.dispose]()
  }

  #sends(): boolean {
    const { hub, clock } = this.#parts
    const stream = hub.stream(this.#name)
    const { lastUnitAt } = stream?.stats ?? {}
    return (
      stream?.state === 'live' && lastUnitAt !== undefined && clock.nowMs() - lastUnitAt < sourceSilenceMs
    )
  }
}

function missing(absent: readonly (Reason & { name: string })[]): AppError {
  const words = (language: 'en' | 'zh') => absent.map((one) => `${one.name}: ${one[language]}`)
  return new AppError('FailedPrecondition', `Nothing was started. ${words('en').join('; ')}`, {
    zh: `未开始录像。${words('zh').join('；')}`,
  })
}
