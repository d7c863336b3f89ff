import { createHub, type HubEvent } from '../../agent/hub/hub.ts'
import { createCameraGuard } from '../../agent/ingest/camera-guard.ts'
import { sourceOpener } from '../../agent/ingest/open-source.ts'
import { type SourceEvent, Sources } from '../../agent/ingest/sources.ts'
import { type SimRtspOptions, simRtsp } from '../../agent/sim/rtsp.ts'
import type { SimPicture } from '../../agent/sim/rtsp-session.ts'
import type { AccessUnit, SourceGap } from '../../shared/media/access-unit.ts'
import { systemClock } from '../../shared/node/clock.ts'

/** Sources over a real hub; `units` and `gaps` are what the recorders would see, by stream. */
export function openRtspRig({ lingerMs = 200, random = (): number => 0.2 } = {}) {
  const stack = new AsyncDisposableStack()
  const units = new Map<string, AccessUnit[]>()
  const gaps = new Map<string, SourceGap[]>()
  const events: SourceEvent[] = []
  const hubEvents: HubEvent[] = []
  const openSink = (name: string) => {
    const [u, g] = [units.get(name) ?? [], gaps.get(name) ?? []]
    units.set(name, u)
    gaps.set(name, g)
    return {
      write: (unit: AccessUnit) => void u.push(unit),
      gap: (gap: SourceGap) => void g.push(gap),
      end: () => undefined,
    }
  }
  const clock = systemClock
  const hub = stack.use(createHub({ openSink, clock, onEvent: (event) => hubEvents.push(event) }))
  const guard = createCameraGuard({ allow: ['127.0.0.0/8', '::1/128'], ownPorts: () => [] })
  const sources = stack.use(
    new Sources({
      ...{ hub, clock, lingerMs, random, open: sourceOpener({ guard, clock }) },
      onEvent: (event) => events.push(event),
    }),
  )
  return {
    ...{ hub, sources, events, hubEvents },
    units: (name: string) => units.get(name) ?? [],
    pictures: (name: string) => (units.get(name) ?? []).filter(({ track }) => track === 'video'),
    gaps: (name: string) => gaps.get(name) ?? [],
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** A simulated camera that remembers what it sent. */
export async function filmingCamera(options: Partial<SimRtspOptions> = {}) {
  const sent: SimPicture[] = []
  const camera = await simRtsp({ port: 0, onPicture: (picture) => sent.push(picture), ...options })
  return Object.assign(camera, { sent })
}

/** Asks until it is so. */
export async function until(isSo: () => boolean, what: string, ms = 15_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + ms
  while (!isSo()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`waited ${ms} ms until ${what}`)
    await systemClock.sleep(20)
  }
}
