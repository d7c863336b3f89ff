import { randomBytes } from 'node:crypto'
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { type StrictS3, startStrictS3 } from '../strict-s3/server.ts'
import { findDynoxide, startDynoxide } from './dynoxide.ts'
import { findMoto, startMoto } from './moto.ts'

/** Whether the tests of the AWS side run against an account: its credentials are the environment's. */
export const isRealAws = process.env.EDGEREEL_AWS_TEST === 'real'

/** Why the AWS side cannot be tested here, in words; undefined when it can. */
export function awsMissing(): string | undefined {
  if (isRealAws || findDynoxide()) return undefined
  return 'no DynamoDB emulator for this machine (@dynoxide/linux-x64)'
}

export type AwsWorld = AsyncDisposable & {
  /** Undefined against an account, which needs no conscience. */
  strict: StrictS3 | undefined
  /** How an S3 event reaches its queue; tests repeat, delay and lose them here. */
  deliver: (send: () => void) => void
  /** Added to the wall clock of the emulators. */
  aheadMs: number
}

const region = 'us-east-1'

/**
 * S3 (moto behind the strict proxy; without moto fauxqs' own), SQS (fauxqs) and DynamoDB (dynoxide) on free
 * ports, told to the SDK by its own environment variables. Against an account nothing is started.
 */
export async function startAwsWorld(): Promise<AwsWorld> {
  const world: AwsWorld = {
    strict: undefined,
    deliver: (send) => send(),
    aheadMs: 0,
    [Symbol.asyncDispose]: async () => {},
  }
  if (isRealAws) return world
  await using stack = new AsyncDisposableStack()
  const account = {
    accessKeyId: 'AKIATEST00000000TEST',
    secretAccessKey: randomBytes(20).toString('hex'),
    region,
  }
  const sqs = stack.adopt(await startFauxqs({ port: 0, logger: false }), (it) => it.stop())
  const dynamodb = stack.use(await startDynoxide(findDynoxide() ?? ''))
  const moto = findMoto()
  const upstream = moto ? stack.use(await startMoto(moto)).url : new URL(localUrl(sqs))
  const strict = stack.use(
    await startStrictS3({
      upstream,
      account,
      nowMs: () => Date.now() + world.aheadMs,
      onEvent: (queueArn, message) =>
        world.deliver(() => void sqs.sendMessage(queueArn.split(':').at(-1) ?? '', message)),
    }),
  )
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: account.accessKeyId,
    AWS_SECRET_ACCESS_KEY: account.secretAccessKey,
    AWS_REGION: region,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_ENDPOINT_URL_S3: strict.url,
    AWS_ENDPOINT_URL_SQS: localUrl(sqs),
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url.origin,
    POWERTOOLS_DEV: 'true',
    POWERTOOLS_LOG_LEVEL: 'CRITICAL',
    POWERTOOLS_METRICS_DISABLED: 'true',
  })
  const closing = stack.move()
  world.strict = strict
  world[Symbol.asyncDispose] = () => closing.disposeAsync()
  return world
}

const localUrl = ({ port }: FauxqsServer) => `http://127.0.0.1:${port}`
