import { deadLetterPath, deadLettersPage, empty, health } from '../../../shared/contract/api.ts'
import { deadLettersListMax } from '../../../shared/limits.ts'
import { deadLetters, redrive } from '../../jobs/redrive.ts'
import { queueNames } from '../../ports.ts'
import { mayOperate } from '../caller.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

export function healthRoutes(ports: ApiPorts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/health',
      summary: 'Whether work gets done; degraded when something waits for a person',
      access: 'anyone',
      answer: health,
      handle: () => lookAt(ports),
    }),
    route({
      method: 'GET',
      path: '/v1/dead-letters',
      summary: 'Messages whose work has failed for ever, by queue, oldest first',
      access: mayOperate,
      answer: deadLettersPage,
      handle: async () => ({ deadLetters: await listDeadLetters(ports) }),
    }),
    route({
      method: 'POST',
      path: '/v1/dead-letters/{queue}/{id}/redrive',
      summary: 'Gives the work of a dead letter all its attempts back and sends the message again',
      access: mayOperate,
      params: deadLetterPath,
      answer: empty,
      async handle({ params }) {
        await redrive(ports, params.queue, params.id)
        return {}
      },
    }),
  ]
}

/** Asks each part one small question; what throws does not answer. */
async function lookAt({ queue, catalogue, store, machine }: ApiPorts) {
  const asked = queueNames.map(async (name) => [name, await queue.depth(name)] as const)
  const [database, objects, of, ...queues] = await Promise.allSettled([
    catalogue.get('HEALTH', 'HEALTH'),
    store.head('uploads/health', { sizeOnly: true }),
    machine?.(),
    ...asked,
  ])
  const depths = queues.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const answers = {
    queues: depths.length === queueNames.length,
    database: database.status === 'fulfilled',
    store: objects.status === 'fulfilled',
  }
  const here = of.status === 'fulfilled' ? of.value : undefined
  const degraded =
    of.status === 'rejected' ||
    Object.values(answers).includes(false) ||
    depths.some(([, depth]) => depth.dead > 0) ||
    here?.disk.low ||
    here?.ffmpeg === false
  return {
    status: degraded ? ('degraded' as const) : ('ok' as const),
    queues: Object.fromEntries(depths),
    answers,
    ...here,
  }
}

async function listDeadLetters(ports: ApiPorts) {
  const found: { queue: string; id: string; body: string }[] = []
  for (const queue of queueNames) {
    for await (const message of deadLetters(ports, queue)) {
      if (found.length === deadLettersListMax) return found
      found.push({ queue, ...message })
    }
  }
  return found
}
