export type FpsEstimate = { value: number; source: 'arrival' | 'device' | 'default' }

const fpsMin = 1
const fpsMax = 60 // PROTOCOLS.md 8: the lab's server bounds its estimate so.
const fpsDefault = 10 // What a phone is asked for when nobody says otherwise.
const credible = 1.5 // Below it the figure says more about a stalled network than about a camera.

/**
 * Mean frame rate of a recording as the lab-log server estimated it: from arrival, else from the device's
 * stamps, else 10. It is only reported: times never come from it.
 */
export function estimateFps(span: {
  firstArrivalMs: number
  lastArrivalMs: number
  firstDeviceMs: number
  lastDeviceMs: number
  /** Pictures from first to last, both counted. */
  units: number
}): FpsEstimate {
  const arrival = rate(span.units, span.lastArrivalMs - span.firstArrivalMs)
  if (arrival > credible) return { value: bounded(arrival), source: 'arrival' }
  const device = rate(span.units, span.lastDeviceMs - span.firstDeviceMs)
  if (device > credible) return { value: bounded(device), source: 'device' }
  return { value: fpsDefault, source: 'default' }
}

function rate(units: number, elapsedMs: number): number {
  return units > 1 && elapsedMs > 0 ? ((units - 1) * 1000) / elapsedMs : 0
}

function bounded(fps: number): number {
  return Math.min(fpsMax, Math.max(fpsMin, fps))
}
