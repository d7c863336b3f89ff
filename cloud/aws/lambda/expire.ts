import { expire } from '../../jobs/expire.ts'
import { openAwsCloud } from '../aws-cloud.ts'
import { readKeepMs } from '../environment.ts'
import { scheduleHandler } from './schedule-handler.ts'

const keepMs = readKeepMs(process.env)

/** Every ten minutes: deletes what has been kept for long enough. Killed anywhere, the next run goes on. */
export const handler = scheduleHandler('expire', openAwsCloud(), (ports, signal) =>
  expire(ports, signal, { keepMs }),
)
