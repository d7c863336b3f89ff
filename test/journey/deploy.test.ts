import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DynamoDBClient, ListTablesCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import {
  ListBucketsCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { ListQueuesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { alignCases } from '../support/beatsync-rig.ts'
import { edgereel } from '../support/command-line.ts'
import { awsMissing } from '../support/emulators/aws-world.ts'
import { findMoto, startMoto } from '../support/emulators/moto.ts'
import { repository } from '../support/modules.ts'
import { realMovies } from '../support/movie-source.ts'
import { hasProgram } from '../support/shared-data.ts'
import { staticBinary } from '../support/static-binary.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// `cdk synth` and `cdk deploy` as a newcomer types them; the account is moto's.

const moto = findMoto()
if (!moto) console.log('skipped: no moto to deploy to (set EDGEREEL_MOTO)')

const noAccount = {
  ...{
    AWS_ACCESS_KEY_ID: '',
    AWS_SECRET_ACCESS_KEY: '',
    AWS_PROFILE: '',
    AWS_REGION: '',
    HOME: '/nonexistent',
  },
  ...{
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  },
}
const cdkMs = 300_000 // Some fifteen seconds each, on a machine that does nothing else.
let directory = ''
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  directory = stack.use(await temporaryDirectory()).path
})
afterAll(() => stack.disposeAsync())

async function cdk(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; text: string }> {
  const bin = join(repository, 'node_modules/.bin')
  const options = {
    cwd: repository,
    timeout: cdkMs,
    env: { ...process.env, ...noAccount, CI: 'true', PATH: `${bin}:${process.env.PATH}`, ...env },
    maxBuffer: 64 * 1024 * 1024,
  }
  return await promisify(execFile)(process.execPath, [join(bin, 'cdk'), ...args], options).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), text: `${stdout}${stderr}` }),
  )
}

const template = async (name: string) =>
  JSON.parse(await readFile(join(directory, name, 'edgereel.template.json'), 'utf8')) as {
    Resources: Record<string, { Type: string; Properties: Record<string, never> }>
  }

test(
  'without an account and without FFmpeg it synthesises, and warns',
  async () => {
    const { code, text } = await cdk(['synth', '-q', '-o', join(directory, 'a')])
    expect([code, text]).toEqual([0, expect.stringContaining('There is no FFmpeg for the functions')])
  },
  cdkMs,
)

test('its bundles load as Lambda loads them, and the API answers with the page', async () => {
  const program = join(repository, 'test/support/load-bundles.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program, join(directory, 'a')])
  const { loaded, answers } = JSON.parse(stdout)
  const names = ['mux', 'thumbnail', 'export', 'beatsync', 'api', 'expire']
  expect(loaded).toEqual(Object.fromEntries(names.map((name) => [name, 'function'])))
  expect(answers).toMatchObject({
    '/': { statusCode: 200, policy: expect.stringContaining('https://edgereel-archive-x.s3.') },
    '/app.js': { statusCode: 200, type: expect.stringContaining('javascript') },
    '/v1/recordings': { statusCode: 401 },
  })
})

const lacking =
  awsMissing() ??
  (hasProgram('ffmpeg') && realMovies.length > 0 && alignCases().length > 0
    ? undefined
    : 'FFmpeg and the data')
if (lacking) console.log(`skipped in part: ${lacking}`)

test.skipIf(lacking)(
  'its bundles work: a recording with its picture, music under a dance, aligned in a thread of its own',
  async () => {
    const program = join(repository, 'test/support/emulators/run-bundles.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [program, join(directory, 'a')])
    const { task, offsetMs, ...made } = JSON.parse(stdout)
    expect(made).toEqual({ state: 'ready', thumbnail: 'ffd8ff', isMovie: true, threads: 1 })
    expect(task).toMatchObject({ status: 'SUCCESS', attempts: 1 })
    expect(Math.abs(task.result.variants.modular.offsetMs - offsetMs)).toBeLessThan(10)
  },
  cdkMs,
)

test(
  'a deployment without credentials synthesises the very same, and says that they are missing',
  async () => {
    const { code, text } = await cdk(['deploy', '--require-approval', 'never', '-o', join(directory, 'c')])
    expect(code).not.toBe(0)
    expect(text).toMatch(/credentials|Unable to resolve AWS account/i)
    expect(await template('c')).toEqual(await template('a'))
    const { stdout, ...said } = await edgereel(['deploy'], { env: noAccount })
    expect([said.code, stdout]).toEqual([
      1,
      expect.stringMatching(/fail credentials: no AWS credentials: run aws configure/),
    ])
    expect(stdout).toContain('npx cdk bootstrap')
  },
  cdkMs,
)

describe.skipIf(!moto)('to an account', () => {
  const region = 'eu-west-1'
  const env: Record<string, string> = {}
  const deploy = (...more: string[]) => {
    const outputs = ['--outputs-file', join(directory, 'outputs.json')]
    return cdk(['deploy', '--require-approval', 'never', ...outputs, ...more], env)
  }

  beforeAll(async () => {
    const { url } = stack.use(await startMoto(moto ?? ''))
    // By its name: of an address moto takes the first number for a bucket.
    Object.assign(env, { AWS_ENDPOINT_URL: `http://localhost:${url.port}`, AWS_REGION: region })
    Object.assign(env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' })
    const { code, text } = await cdk(
      ['bootstrap', `aws://123456789012/${region}`, '--app', join(directory, 'a')],
      env,
    )
    expect([code, text]).toEqual([0, expect.stringContaining('bootstrapped')])
  }, cdkMs)

  test(
    'it stops with one sentence while there is no FFmpeg',
    async () => {
      const { code, text } = await deploy('--app', join(directory, 'a'))
      expect(code).not.toBe(0)
      expect(text).toContain('put a static Linux arm64 binary at layers/ffmpeg/arm64/ffmpeg')
      expect(text).not.toContain('creating CloudFormation changeset')
    },
    cdkMs,
  )

  test(
    'it deploys; a second look finds no difference; an upload wakes the mux; the first admin',
    async () => {
      const ffmpeg = join(directory, 'ffmpeg')
      await writeFile(ffmpeg, staticBinary({}))
      const { code, text } = await deploy(
        ...['-o', join(directory, 'd'), '-c', `ffmpeg=${ffmpeg}`, '-c', 'alarmEmail=you@example.org'],
      )
      expect([code, text]).toEqual([0, expect.stringContaining('✅  edgereel')])
      const diff = await cdk(['diff', '--app', join(directory, 'd'), '--method', 'template'], env)
      expect(diff.text).toMatch(/There were no differences|Number of stacks with differences: 0/)

      const settings = {
        endpoint: env.AWS_ENDPOINT_URL ?? '',
        region,
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      }
      const made = await physical(settings)
      await wakesMux(settings, made)
      await firstAdmin(settings, made.table)
    },
    3 * cdkMs,
  )

  type Settings = {
    endpoint: string
    region: string
    credentials: { accessKeyId: string; secretAccessKey: string }
  }
  type Made = { bucket: string; mux: string; table: string }

  /** moto's CloudFormation knows no API Gateway, so it gives no outputs: the names are asked of the services. */
  async function physical(settings: Settings): Promise<Made> {
    const s3 = new S3Client({ ...settings, forcePathStyle: true })
    const sqs = new SQSClient(settings)
    const dynamodb = new DynamoDBClient(settings)
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}))
    const { TableNames = [] } = await dynamodb.send(new ListTablesCommand({}))
    for (const client of [s3, sqs, dynamodb]) client.destroy()
    const mux = QueueUrls.find((url) => url.includes('muxQueue')) ?? ''
    return {
      bucket: Buckets.map(({ Name = '' }) => Name).find((name) => name.includes('archivebucket')) ?? '',
      mux: new URL(URL.parse(mux)?.pathname ?? '', settings.endpoint).href,
      table: TableNames.find((name) => name.includes('Catalogue')) ?? '',
    }
  }

  /** moto's CloudFormation leaves notifications out: the template's own is set by hand. */
  async function wakesMux(settings: Settings, { bucket, mux }: Made): Promise<void> {
    const resources = Object.values((await template('d')).Resources)
    const { Properties } = resources.find(({ Type }) => Type === 'AWS::S3::Bucket') ?? {}
    type Configured = { QueueConfigurations: { Event: never; Filter: { S3Key: { Rules: never } } }[] }
    const { NotificationConfiguration } = Properties ?? {}
    const { QueueConfigurations } = NotificationConfiguration as unknown as Configured
    const s3 = new S3Client({ ...settings, forcePathStyle: true })
    await s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: bucket,
        NotificationConfiguration: {
          QueueConfigurations: QueueConfigurations.map(({ Event, Filter }) => ({
            QueueArn: `arn:aws:sqs:${region}:123456789012:${mux.split('/').at(-1)}`,
            Events: [Event],
            Filter: { Key: { FilterRules: Filter.S3Key.Rules } },
          })),
        },
      }),
    )
    for (const Key of ['raw/lab/cam/1-000000.h264', 'raw/lab/cam/1-000000.json', 'media/x.json']) {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }))
    }
    const sqs = new SQSClient(settings)
    const receive = new ReceiveMessageCommand({ QueueUrl: mux, MaxNumberOfMessages: 10 })
    const { Messages = [] } = await sqs.send(receive)
    const bodies = Messages.map(({ Body = '' }) => Body).filter((body) => !body.includes('s3:TestEvent'))
    expect(bodies).toHaveLength(1)
    expect(decodeURIComponent(bodies[0] ?? '')).toContain('raw/lab/cam/1-000000.json')
    s3.destroy()
    sqs.destroy()
  }

  async function firstAdmin(settings: Settings, table: string): Promise<void> {
    const words = ['token', 'create', 'root', '--aws', '--table', table]
    const { code, stdout } = await edgereel([...words, '--json'], { env })
    expect(code).toBe(0)
    const { token } = JSON.parse(stdout) as { token: string }
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
    const dynamodb = new DynamoDBClient(settings)
    const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: table }))
    expect(Items.map(({ role }) => role?.S)).toEqual(['admin'])
    expect(JSON.stringify(Items)).not.toContain(token)
    dynamodb.destroy()
    const wrong = await edgereel(['token', 'create', 'x', '--aws', '--table', 'none'], { env })
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('there is no table none')])
    const poor = await edgereel(words, { env: { ...noAccount, AWS_REGION: region } })
    expect([poor.code, poor.stderr]).toEqual([1, expect.stringContaining('no AWS credentials were found')])
  }
})
