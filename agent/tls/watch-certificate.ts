import { certificateLookMs } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { TlsFiles } from './certificate.ts'

type Options = {
  shown: TlsFiles
  /** As at the start: reads it, or makes it again where that is due. */
  read: () => Promise<TlsFiles>
  clock: Clock
  onNew: (files: TlsFiles) => void
  /** It could not be read: the one before goes on. */
  onFault: (error: unknown) => void
}

/** An agent runs for longer than its certificate lasts, and its addresses change: looks whether there is another one. */
export function watchCertificate({ shown, read, clock, onNew, onFault }: Options): Disposable {
  const stop = new AbortController()
  const watch = async (): Promise<never> => {
    for (let known = shown.cert; ; ) {
      await clock.sleep(certificateLookMs, stop.signal)
      try {
        const files = await read()
        if (files.cert !== known) onNew(files)
        known = files.cert
      } catch (error) {
        onFault(error)
      }
    }
  }
  watch().catch(() => undefined) // Disposed.
  return { [Symbol.dispose]: () => stop.abort() }
}
