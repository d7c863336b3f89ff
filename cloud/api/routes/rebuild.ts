import { rebuildRequest, rebuildStepBody } from '../../../shared/contract/api.ts'
import { rebuildStep } from '../../jobs/rebuild.ts'
import { mayAdminister } from '../caller.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

export function rebuildRoutes(ports: ApiPorts): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/rebuild',
      summary:
        'One step of making the catalogue again from the objects; repeat it with the cursor until there is none',
      access: mayAdminister,
      body: rebuildRequest,
      answer: rebuildStepBody,
      handle: ({ body }) => rebuildStep(ports, body.cursor),
    }),
  ]
}
