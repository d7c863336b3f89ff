import { type AwsCloud, openAwsCloud } from '../../../cloud/aws/aws-cloud.ts'
import type { Environment } from '../../../cloud/aws/environment.ts'
import { type Clock, systemClock } from '../../../shared/node/clock.ts'
import {
  dropBucket,
  dropQueues,
  dropTable,
  emptyTable,
  makeBucket,
  makeQueues,
  makeTable,
} from './aws-resources.ts'
import { type AwsWorld, isRealAws, startAwsWorld } from './aws-world.ts'

export type AwsRig = AsyncDisposable & {
  cloud: AwsCloud
  environment: Environment
  world: AwsWorld
  clock: Clock
}

/** One world and one table for a test file; bucket and queues are new each time. Close it with `closeAwsRigs`. */
let shared: Promise<{ world: AwsWorld; table: string }> | undefined

export async function openAwsRig(): Promise<AwsRig> {
  shared ??= startAwsWorld().then(async (world) => ({ world, table: await makeTable() }))
  const { world, table } = await shared
  world.deliver = (send) => send()
  world.aheadMs = 0
  if (world.strict) world.strict.fault = () => undefined
  await emptyTable(table)
  const queues = await makeQueues()
  const bucket = await makeBucket(queues.mux.url)
  const environment = { bucket, table, queues }
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + world.aheadMs }
  const cloud = openAwsCloud(environment, clock)
  return {
    cloud,
    environment,
    world,
    clock,
    async [Symbol.asyncDispose]() {
      cloud[Symbol.dispose]()
      if (!isRealAws) return // The emulators are gone with their file.
      await dropBucket(bucket)
      await dropQueues(queues)
    },
  }
}

export async function closeAwsRigs(): Promise<void> {
  if (!shared) return
  const { world, table } = await shared
  if (isRealAws) await dropTable(table)
  await world[Symbol.asyncDispose]()
  shared = undefined
}
