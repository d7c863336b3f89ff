/**
 * Aborts when this process is asked to stop. Alone: SIGINT or SIGTERM. Under a supervisor: its `{stop: true}`, or
 * its death (the IPC channel closes), so that a killed supervisor leaves nobody behind. Signals then do nothing:
 * a terminal's Ctrl-C and a service manager's stop reach the whole group at once, and the supervisor decides the
 * order in which its children end.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  const stop = () => controller.abort()
  const supervised = process.send !== undefined
  process.on('SIGINT', supervised ? () => {} : stop)
  process.on('SIGTERM', supervised ? () => {} : stop)
  process.on('disconnect', stop)
  process.on('message', (message) => {
    if (typeof message === 'object' && message !== null && 'stop' in message) stop()
  })
  return controller.signal
}
