/**
 * Aborts when this process is asked to stop: SIGINT, SIGTERM, a `{stop: true}` from a supervisor, or the
 * supervisor's death (its IPC channel closes), so that a killed supervisor leaves nobody behind.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  const stop = () => controller.abort()
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  process.on('disconnect', stop)
  process.on('message', (message) => {
    if (typeof message === 'object' && message !== null && 'stop' in message) stop()
  })
  return controller.signal
}
