import { health } from '../../../shared/contract/api.ts'
import { queueNames } from '../../ports.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

export function healthRoutes({ queue }: ApiPorts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/health',
      summary: 'Whether work gets done; degraded when something waits for a person',
      access: 'anyone',
      answer: health,
      async handle() {
        const depths = await Promise.all(
          queueNames.map(async (name) => [name, await queue.depth(name)] as const),
        )
        const dead = depths.some(([, depth]) => depth.dead > 0)
        return { status: dead ? ('degraded' as const) : ('ok' as const), queues: Object.fromEntries(depths) }
      },
    }),
  ]
}
