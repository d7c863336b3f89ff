import type { Clock } from '../../shared/node/clock.ts'
import type { Catalogue, ObjectStore, Queue } from '../ports.ts'

/** What every job is given. */
export type JobPorts = { store: ObjectStore; catalogue: Catalogue; queue: Queue; clock: Clock }
