import { hostname } from 'node:os'
import { isName } from '../shared/contract/segment.ts'

/** The machine's own name, as a name of the archive: letters that it must not hold become dashes. */
export function agentName(host = hostname()): string {
  const cleaned = host
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|\.+$/g, '')
    .slice(0, 64)
  return isName(cleaned) ? cleaned : 'agent'
}
