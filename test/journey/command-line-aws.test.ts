import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseAddress } from '../../agent/cli/enroll.ts'
import { apiHandler } from '../../cloud/aws/lambda/api-handler.ts'
import type { CloudToken } from '../../shared/contract/agents-api.ts'
import { edgereel } from '../support/command-line.ts'
import { type AwsRig, closeAwsRigs, openAwsRig } from '../support/emulators/aws-rig.ts'
import { awsMissing } from '../support/emulators/aws-world.ts'
import { serveFunction } from '../support/emulators/lambda-http.ts'
import { putRecording, recordingOf, sealSegment, unitOf } from '../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../support/synthetic.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// The commands that speak to a PC speak to AWS: the first admin by the deployer's rights, everything else by HTTP.

const missing = awsMissing()
if (missing) console.log(`skipped: ${missing}`)

const stack = new AsyncDisposableStack()
let rig: AwsRig
let env: Record<string, string> = {}
let data = ''

beforeAll(async () => {
  if (missing) return
  rig = stack.use(await openAwsRig())
  data = stack.use(await temporaryDirectory()).path
  const { url } = stack.use(await serveFunction(apiHandler(rig.cloud)))
  env = { EDGEREEL_API: url, EDGEREEL_DATA: data }
})
afterAll(async () => {
  await stack.disposeAsync()
  await closeAwsRigs()
})

const json = async <T>(args: string[]): Promise<T> => {
  const ran = await edgereel([...args, '--json'], { env })
  expect([args.join(' '), ran.code, ran.stderr]).toEqual([args.join(' '), 0, ''])
  return JSON.parse(ran.stdout) as T
}

test.skipIf(missing)('the first admin, then tokens for others, listed and revoked', async () => {
  const { table } = rig.environment
  const { token } = await json<{ token: string }>(['token', 'create', 'root', '--aws', '--table', table])
  env.EDGEREEL_TOKEN = token
  const ana = await json<CloudToken & { token: string }>(['token', 'create', 'ana', '--role', 'viewer'])
  const { tokens } = await json<{ tokens: CloudToken[] }>(['token', 'ls'])
  expect(tokens.map(({ name, role }) => [name, role]).sort()).toEqual([
    ['ana', 'viewer'],
    ['root', 'admin'],
  ])
  const asAna = () => edgereel(['ls', '--json', '--token', ana.token], { env })
  expect((await asAna()).stdout).toBe('{"recordings":[]}\n')
  await json(['token', 'revoke', ana.id])
  expect([(await asAna()).code, (await asAna()).stderr]).toEqual([
    1,
    expect.stringContaining('needs a valid token'),
  ])
})

test.skipIf(missing)('ls, share, tasks, get and dlq answer as they do on one PC', async () => {
  const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(i)))
  const id = { agent: 'lab', stream: 'cam', epoch: 1_772_366_400_000, seq: 0 }
  const sealed = sealSegment({ ...id, video: syntheticVideo, units, wallOffsetMs: id.epoch })
  const recording = recordingOf('take-1', [sealed])
  await putRecording(rig.cloud.store, recording)
  const { saveRecording } = await import('../../cloud/rows/recording.ts')
  await saveRecording(rig.cloud.catalogue, recording, rig.clock.nowMs())
  const { recordings } = await json<{ recordings: { id: string; state: string }[] }>(['ls'])
  expect(recordings).toMatchObject([{ id: 'take-1', state: 'processing' }])
  expect((await edgereel(['ls'], { env })).stdout).toContain('take-1')
  const shared = await json<{ url: string }>(['share', 'take-1', '--for', '600'])
  expect(shared.url).toMatch(/\/s\/[A-Za-z0-9_-]{43}$/)
  expect(await json(['tasks'])).toEqual({ tasks: [] })
  expect(await json(['dlq', 'ls'])).toEqual({ deadLetters: [] })
  const gone = await edgereel(['get', 'no-such-take'], { env })
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringMatching(/^edgereel: /)])
  const none = await edgereel(['dlq', 'redrive', 'mux', 'no-such-message'], { env })
  expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/^edgereel: /)])
})

test.skipIf(missing)('a machine is enrolled there', async () => {
  const { url } = await json<{ url: string }>(['token', 'create', 'attic', '--enroll'])
  expect(parseAddress(url).code).toHaveLength(19)
  const code = new URL(url).hash
  const done = await json<{ agent: string; api: string }>(['enroll', `${env.EDGEREEL_API}/${code}`])
  expect(done).toMatchObject({ agent: 'attic', api: env.EDGEREEL_API })
  const again = await edgereel(['enroll', `${env.EDGEREEL_API}/${code}`, '--data', `${data}/other`], { env })
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('was used')])
})
