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
      async handle() {
        const { queue, machine } = ports
        const depths = await Promise.all(
          queueNames.map(async (name) => [name, await queue.depth(name)] as const),
        )
        const of = await machine?.()
        const degraded = depths.some(([, depth]) => depth.dead > 0) || of?.disk.low || of?.ffmpeg === false
        const status = degraded ? ('degraded' as const) : ('ok' as const)
        return { status, queues: Object.fromEntries(depths), ...of }
      },
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
