import type { Recording } from '../../shared/contract/recording.ts'
import { AppError } from '../../shared/error.ts'
import { recordingCloseMs, recordingSessionSlackMs, recordingSlackMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Ring } from '../ring/types.ts'
import { claimNotes, type SegmentMark, withoutNotes } from './claim.ts'
import { endedStreams, type Held } from './recording-end.ts'

/** What a claim needs of the recorder; `main.ts` joins them. */
export type ClaimRecorder = {
  /**
   * Resolves when all that the stream gave until now is in sealed segments.
   * `ended`: no more pictures are to come, so that it need not wait for a key frame to cut at.
   */
  flush(stream: string, options: { ended: boolean }): Promise<void>
  /** How many open recordings want the stream. */
  setClaimed(stream: string, claims: number): void
  /** Wall ms of the beginning of the segment that is being written; undefined when none is. */
  openSince(stream: string): number | undefined
  /** The segment that was opened last, sealed or not; undefined when the stream never had one. */
  newest(stream: string): SegmentMark | undefined
}

export type ClaimClosing = {
  ring: Pick<Ring, 'segments' | 'gaps'>
  recorder: ClaimRecorder
  clock: Clock
  onFault: (message: string, error: unknown) => void
}

/** Seals what a stream gave. Never fails and never hangs: a close states what is there. */
export async function flushStream(
  stream: string,
  end: { ended: boolean },
  { recorder, clock, onFault }: ClaimClosing,
): Promise<void> {
  const late = new AbortController()
  const deadline = clock.sleep(recordingCloseMs, late.signal).then(() => {
    throw new AppError('DeadlineExceeded', 'the recorder did not finish its segment')
  })
  try {
    await Promise.race([recorder.flush(stream, end), deadline])
  } catch (error) {
    onFault(`the end of ${stream} is not sealed`, error)
  } finally {
    late.abort()
    deadline.catch(() => undefined)
  }
}

/** The last revision of a recording of which every stream has an end. `flushes`: of those that ended before. */
export async function closedClaim(
  asked: Recording,
  flushes: ReadonlyMap<string, Promise<void>>,
  closing: ClaimClosing,
): Promise<Recording> {
  const held = new Map<string, Held>()
  const { session = false, pauses = [], marks = {} } = claimNotes(asked)
  const slackMs = session ? recordingSessionSlackMs : recordingSlackMs
  if (asked.state === 'open') {
    const holding = asked.streams.map(async ({ name, from, to }) => {
      await (flushes.get(name) ?? flushStream(name, { ended: false }, closing))
      held.set(name, await heldOf(name, { from, to: to ?? from, slackMs }, closing))
    })
    await Promise.all(holding)
  }
  const end = endedStreams(asked, held, { session, pauses, marks })
  return { ...withoutNotes(asked), ...end, state: 'closed', rev: asked.rev + 1 }
}

/** Wider than what was asked for, since arrival times and those of segments differ a little. */
async function heldOf(
  stream: string,
  { slackMs, ...asked }: { from: number; to: number; slackMs: number },
  { ring, onFault }: ClaimClosing,
): Promise<Held> {
  try {
    const wide = { stream, from: asked.from - slackMs, to: asked.to + slackMs }
    const segments = await ring.segments(wide)
    const from = Math.min(wide.from, segments[0]?.from ?? wide.from)
    return { segments, gaps: await ring.gaps({ ...wide, from }) }
  } catch (error) {
    onFault(`the segments of ${stream} cannot be listed`, error)
    return { segments: [], gaps: [{ ...asked, cause: 'disk-error' }] } // Nobody knows what is there: not nothing in silence.
  }
}
