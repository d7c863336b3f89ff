import { uploadCreated, uploadRequest } from '../../../shared/contract/beatsync-api.ts'
import { mayOperate } from '../caller.ts'
import { createUpload } from '../own-files.ts'
import { type ApiPorts, type Route, route } from '../route.ts'

/** For people: a place for a file of their own, kept for 24 hours. */
export function ownFileRoutes(ports: ApiPorts): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/uploads',
      summary: 'A signed address for one file of this name, size and type; it is kept for 24 hours',
      access: mayOperate,
      body: uploadRequest,
      answer: uploadCreated,
      status: 201,
      handle: ({ body, caller }) => createUpload(ports, body, caller),
    }),
  ]
}
