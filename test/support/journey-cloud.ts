import { queueHandler } from '../../cloud/aws/lambda/queue-handler.ts'
import { handlers } from '../../cloud/jobs/handlers.ts'
import { type LocalCloudOptions, openLocalCloud } from '../../cloud/local/local-cloud.ts'
import { startWorker } from '../../cloud/local/worker.ts'
import type { Catalogue, ObjectStore, Queue } from '../../cloud/ports.ts'
import { cloudIsAws } from './emulators/aws-program.ts'
import { openAwsRig } from './emulators/aws-rig.ts'
import { pollQueues } from './emulators/lambda-queue.ts'

export type JourneyCloud = AsyncDisposable & {
  store: ObjectStore
  catalogue: Catalogue
  queue: Queue
  storeRoute(request: Request): Promise<Response>
  /** Does what comes, as it comes: the worker of one PC, or functions before their queues. */
  startWork(): AsyncDisposable
}

/** The cloud of a journey: that of one PC, or, with EDGEREEL_TEST_CLOUD=aws, S3, SQS and DynamoDB. */
export async function openJourneyCloud(options: LocalCloudOptions): Promise<JourneyCloud> {
  return cloudIsAws() ? await openOnAws(options) : await openHere(options)
}

async function openHere(options: LocalCloudOptions): Promise<JourneyCloud> {
  const cloud = await openLocalCloud(options)
  const { clock } = options
  const onError = () => {} // Without FFmpeg there is no thumbnail: the journey goes on.
  return { ...cloud, startWork: () => startWorker({ ports: { ...cloud, clock }, handlers, clock, onError }) }
}

async function openOnAws({ clock }: LocalCloudOptions): Promise<JourneyCloud> {
  const rig = await openAwsRig()
  rig.world.aheadMs = clock.nowMs() - Date.now() // A clock that stands still stands near enough.
  const { store, catalogue, queue } = rig.cloud
  const ports = { store, catalogue, queue, clock }
  return {
    ...{ store, catalogue, queue },
    storeRoute: () => Promise.reject(new Error('what lies in S3 is not fetched from here')),
    startWork: () =>
      pollQueues(queue, {
        mux: queueHandler('mux', ports),
        thumbnail: queueHandler('thumbnail', ports),
        export: queueHandler('export', ports),
        beatsync: queueHandler('beatsync', ports),
      }),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  }
}
