import type { JobPorts } from '../../cloud/jobs/job-ports.ts'
import { AppError } from '../../shared/error.ts'

export type Fault = {
  /** The how-manieth call of a port fails; 1 is the first. */
  at: number
  /** `before`: nothing was done; `after`: it was done and the answer is lost. */
  when: 'before' | 'after'
  /** The process is dead from here on: every later call fails too. */
  kill: boolean
}

/** Ports of which one call fails. `calls()` tells how many there were. */
export function faultyPorts(ports: JobPorts, fault: Fault): { ports: JobPorts; calls: () => number } {
  let calls = 0
  const broken = () => new AppError('Unavailable', `call ${fault.at} fails`)
  const wrap = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return async (...args: unknown[]) => {
          calls += 1
          const isIt = calls === fault.at
          if ((isIt && fault.when === 'before') || (fault.kill && calls > fault.at)) throw broken()
          const answer: unknown = await Reflect.apply(method, target, args)
          if (isIt) throw broken()
          return answer
        }
      },
    })
  const { store, catalogue, queue, clock } = ports
  return {
    ports: { store: wrap(store), catalogue: wrap(catalogue), queue: wrap(queue), clock },
    calls: () => calls,
  }
}
