import type { MessagePort } from 'node:worker_threads'
import { systemClock } from '../../shared/node/clock.ts'
import { Ballast } from './ballast.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { layoutOf } from './names.ts'
import { tickMs } from './open-segments.ts'
import { lockDirectory } from './owner.ts'
import type { RingFs } from './ring-fs.ts'
import { Storage, type StorageOptions, wireError } from './storage.ts'

/** Runs the storage on this thread until told to close: the body of the storage worker. */
export function serveStorage(port: MessagePort, options: StorageOptions, fs: RingFs): void {
  const emit = (message: FromWorker) => port.postMessage(message, transferOf(message))
  let storage: Storage
  let lock: Disposable
  const layout = layoutOf(options.dir)
  let ballast: Ballast
  try {
    fs.mkdir(layout.ring)
    ballast = new Ballast(fs, layout)
    ballast.giveUpIfFull()
    lock = lockDirectory(layout.lock)
    storage = new Storage(options, { fs, clock: systemClock, emit })
  } catch (error) {
    emit({ type: 'refused', error: wireError(error) })
    port.close()
    return
  }
  const tick = () => {
    if (storage.tick()) ballast.keep()
  }
  const timer = setInterval(tick, tickMs)
  port.on('message', (message: ToWorker) => {
    if (message.type !== 'close') {
      storage.handle(message)
      if (message.type === 'batch') tick()
      return
    }
    clearInterval(timer)
    storage[Symbol.dispose]()
    lock[Symbol.dispose]()
    emit({ type: 'closed' })
    port.close()
  })
}

/** Bytes read for an upload are handed over, not copied. */
function transferOf(message: FromWorker): ArrayBuffer[] {
  const value = message.type === 'answer' ? message.value : undefined
  return value instanceof Uint8Array && value.buffer instanceof ArrayBuffer ? [value.buffer] : []
}
