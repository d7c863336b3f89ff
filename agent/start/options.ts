import type { Clock } from '../../shared/node/clock.ts'
import type { Log } from '../../shared/node/log.ts'
import type { Config } from '../config.ts'

export type AgentOptions = {
  data: string
  config: Config
  clock: Clock
  log: Log
  /** The storage worker died: the process should end and be started again. */
  onFatal: (error: Error) => void
}
