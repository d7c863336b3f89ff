import { steadyClock } from '../shared/node/clock.ts'
import type { Ring } from './ring/types.ts'
import { openDoors } from './start/doors.ts'
import { startKeeping } from './start/keep.ts'
import { startLive } from './start/live.ts'
import type { AgentOptions } from './start/options.ts'
import { tell } from './tell.ts'

export type Agent = AsyncDisposable & {
  readonly port: number
  /** Path of the page, with a code that logs its first visitor in as admin, once. */
  loginPath(): string
}

/**
 * Builds the agent from the sink to the source, so that disposal closes it from the source to the sink: doors,
 * sources, hub, recordings, recorders, uploader, ring. Nothing in flight is lost on the way.
 */
export async function startAgent(given: AgentOptions): Promise<Agent> {
  await using stack = new AsyncDisposableStack()
  let isRecording = () => false
  const clock = steadyClock(given.clock, () => !isRecording(), tell(given.log).clock)
  const options = { ...given, clock }
  const kept = await startKeeping(stack, options)
  isRecording = () => true // Until it is known what goes on from the last run.
  clock.advanceTo(await newestKept(kept.ring))
  const live = await startLive(stack, options, kept)
  isRecording = () => kept.recordings.begunCount > 0
  const { http, auth } = await openDoors(stack, options, { ...kept, ...live })
  const closing = stack.move()
  return {
    port: http.port,
    loginPath: () => `/login?code=${auth.createLoginCode()}`,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** Wall ms of the newest picture of the recordings that go on: a clock that was set back meanwhile must not undo them. */
async function newestKept(ring: Ring): Promise<number> {
  const begun = (await ring.recordings()).filter(({ state }) => state === 'open')
  const ends = begun.flatMap(({ from, streams }) =>
    streams.map(async ({ name }) => (await ring.segments({ stream: name, from })).at(-1)?.to ?? from),
  )
  return Math.max(0, ...(await Promise.all(ends)))
}
