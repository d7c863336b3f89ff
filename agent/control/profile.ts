import { Session } from 'node:inspector/promises'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'

export type ProfileKind = 'cpu' | 'heap'

/** Profiles this process for some seconds: a `.cpuprofile` or a `.heapprofile`, as Chromium's tools open them. One at a time. */
export function createProfiler(clock: Clock): (kind: ProfileKind, seconds: number) => Promise<object> {
  let busy = false
  return async (kind, seconds) => {
    if (busy)
      throw new AppError('Aborted', 'a profile is being taken: try again after it', {
        zh: '正在采集性能数据，请稍后再试。',
      })
    busy = true
    const session = new Session()
    session.connect()
    using _ = {
      [Symbol.dispose]: () => {
        session.disconnect()
        busy = false
      },
    }
    return kind === 'cpu' ? await cpu(session, clock, seconds) : await heap(session, clock, seconds)
  }
}

async function cpu(session: Session, clock: Clock, seconds: number): Promise<object> {
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  await clock.sleep(seconds * 1000)
  return (await session.post('Profiler.stop')).profile
}

// Sampled allocations: a full snapshot would stop the process, and with it the cameras, for seconds.
async function heap(session: Session, clock: Clock, seconds: number): Promise<object> {
  await session.post('HeapProfiler.startSampling')
  await clock.sleep(seconds * 1000)
  return (await session.post('HeapProfiler.stopSampling')).profile
}
