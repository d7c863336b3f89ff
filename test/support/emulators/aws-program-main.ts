import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { apiHandler } from '../../../cloud/aws/lambda/api-handler.ts'
import { addToken } from '../../../cloud/rows/access.ts'
import { readPages } from '../../../shared/node/read-pages.ts'
import { repository } from '../modules.ts'
import { closeAwsRigs, openAwsRig } from './aws-rig.ts'
import { environmentVariables } from './environment-variables.ts'
import { serveFunction } from './lambda-http.ts'
import { pollQueues } from './lambda-queue.ts'
import { unrulyEvents } from './unruly-events.ts'

// The cloud on AWS as a process: emulators, an HTTP API before the API's function, with the page,
// pollers before the others, which are the files that are deployed. Prints one line of JSON when it is ready; ends with stdin.

const { values } = parseArgs({ options: { agent: { type: 'string' }, unruly: { type: 'boolean' } } })

const rig = await openAwsRig()
const { catalogue, queue } = rig.cloud
if (values.unruly) rig.world.deliver = unrulyEvents
const token = async (role: 'admin' | 'device', bound: { agent?: string } = {}) => {
  const text = randomBytes(32).toString('base64url')
  const sha256 = createHash('sha256').update(text).digest('hex')
  await addToken(catalogue, { sha256, name: role, role, createdAt: rig.clock.nowMs(), ...bound })
  return text
}
const adminToken = await token('admin')
const deviceToken = await token('device', { agent: values.agent ?? 'test' })

Object.assign(process.env, environmentVariables(rig.environment)) // Read when the functions are loaded.
const [mux, thumbnail, exports, beatsync] = await Promise.all([
  import('../../../cloud/aws/lambda/mux.ts'),
  import('../../../cloud/aws/lambda/thumbnail.ts'),
  import('../../../cloud/aws/lambda/export.ts'),
  import('../../../cloud/aws/lambda/beatsync.ts'),
])
// As cloud/aws/lambda/api.ts, but for the places of the page's files and of the door.
const store = new URL(await rig.cloud.store.presignGet({ key: 'exports/none', expiresS: 1 })).origin
const pages = await readPages(join(repository, 'dist/web'))
let api: ReturnType<typeof apiHandler> | undefined
const server = await serveFunction(async (event, context) => {
  api ??= apiHandler(rig.cloud, { pages, store }, server.url)
  return await api(event, context)
})
const poller = pollQueues(queue, {
  mux: mux.handler,
  thumbnail: thumbnail.handler,
  export: exports.handler,
  beatsync: beatsync.handler,
})
process.stdout.write(`${JSON.stringify({ url: server.url, adminToken, deviceToken })}\n`)

process.stdin.resume()
process.stdin.once('end', async () => {
  await poller[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await rig[Symbol.asyncDispose]()
  await closeAwsRigs()
  process.exit()
})
