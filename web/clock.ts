// The server's clock decides what "12 s ago" means: a viewer's own may be minutes off. Each answer's Date
// header corrects it; the header counts whole seconds, hence the half second.
let serverAheadMs = 0

const localNowMs = (): number => performance.timeOrigin + performance.now()

/** The server's wall time in milliseconds, as well as its answers tell (within a second). */
export function nowMs(): number {
  return localNowMs() + serverAheadMs
}

/** `header` is the Date header of an answer that has just arrived. */
export function learnServerTime(header: string | null): void {
  const sentMs = header === null ? Number.NaN : Date.parse(header)
  if (Number.isNaN(sentMs)) return
  const ahead = sentMs + 500 - localNowMs()
  // Within the header's resolution the estimate stays as it is, so that counters do not jump back and forth.
  if (Math.abs(ahead - serverAheadMs) > 1500) serverAheadMs = ahead
}
