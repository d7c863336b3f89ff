import { createHash, createHmac } from 'node:crypto'
import { SQSClient } from '@aws-sdk/client-sqs'
import { startFauxqs } from 'fauxqs'
import { expect, test } from 'vitest'
import { hookSink } from '../../../../agent/ingest/vehicle-command-hook.ts'
import { CommandQueue } from '../../../../agent/ingest/vehicle-command-queue.ts'
import { redisSink } from '../../../../agent/ingest/vehicle-command-redis.ts'
import { signedHeaders } from '../../../../agent/ingest/vehicle-command-sigv4.ts'
import { environmentCredentials, sqsSink } from '../../../../agent/ingest/vehicle-command-sqs.ts'
import { openLive } from '../../../../agent/ingest/vehicle-command-words.ts'
import { systemClock } from '../../../../shared/node/clock.ts'
import { hasRedis, RedisServer } from '../../../support/redis-server.ts'

const place = { host: 'video.example.com', livePort: 9501, historyPort: 9502 }
const commandOf = (channel: number) =>
  openLive({ stream: `0649594094380${channel}`, sim: '064959409438', channel }, place)
const signal = () => AbortSignal.timeout(3000)

const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}

test.each([
  ['GET', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  ['POST', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
])('signs %s as the test suite of AWS does (get-vanilla, post-vanilla)', (method, signature) => {
  const headers = signedHeaders({
    ...{ method, url: new URL('https://example.amazonaws.com/'), headers: {}, body: '' },
    ...{ service: 'service', region: 'us-east-1', credentials, nowMs: Date.UTC(2015, 7, 30, 12, 36) },
  })
  expect(headers.authorization).toBe(
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
  )
})

test('signs a message with a session token as the SDK of AWS does', async () => {
  const temporary = { ...credentials, sessionToken: 'token/of+a=session' }
  const signer = await new SQSClient({ region: 'cn-north-1', credentials: temporary }).config.signer()
  const now = new Date('2026-11-20T08:00:00Z')
  const url = new URL('https://sqs.cn-north-1.amazonaws.com.cn/')
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' }
  const body = JSON.stringify({ QueueUrl: 'q', MessageBody: '中文 {}' })
  const bodySha256 = createHash('sha256').update(body).digest('hex') // Which the SDK signs as well.
  const ours = signedHeaders({
    ...{
      method: 'POST',
      url,
      headers: { ...headers, 'x-amz-content-sha256': bodySha256 },
      body,
      service: 'sqs',
      region: 'cn-north-1',
    },
    ...{ credentials: temporary, nowMs: now.getTime() },
  })
  const theirs = await signer.sign(
    {
      ...{ method: 'POST', protocol: 'https:', hostname: url.host, path: '/', query: {} },
      ...{ headers: { ...headers, host: url.host }, body },
    } as unknown as Parameters<typeof signer.sign>[0],
    { signingDate: now, signingService: 'sqs', signingRegion: 'cn-north-1' },
  )
  const signature = (text: string | undefined) => /SignedHeaders=.*$/.exec(text ?? '')?.[0]
  expect(signature(ours.authorization)).toBe(signature(theirs.headers.authorization))
  expect(signature(ours.authorization)).toContain('x-amz-security-token')
})

test('SQS: the seed’s JSON is the body; a FIFO queue keeps the order of a channel, once each', async () => {
  const server = await startFauxqs({ port: 0, logger: false })
  try {
    server.createQueue('commands')
    server.createQueue('commands.fifo', { attributes: { FifoQueue: 'true' } })
    for (const name of ['commands', 'commands.fifo']) {
      const url = `http://127.0.0.1:${server.port}/000000000000/${name}`
      const sink = sqsSink({ url, region: 'us-east-1', credentials: () => credentials, clock: systemClock })
      const command = commandOf(3)
      await sink.send(command, signal())
      if (name.endsWith('.fifo')) await sink.send(command, signal()) // The answer was lost, the message was not.
      await sink.send(commandOf(4), signal())
      const kept = server.inspectQueue(name)
      const bodies = kept?.messages.ready.map((message) => message.body)
      expect(bodies).toEqual([command.json, commandOf(4).json])
    }
  } finally {
    await server.stop()
  }
})

test('SQS: keys come from the environment, and their absence is said at the start', () => {
  const build = () =>
    sqsSink({
      url: 'https://sqs.us-east-1.amazonaws.com/1/q',
      region: 'us-east-1',
      credentials: () => environmentCredentials({}),
      clock: systemClock,
    })
  expect(build).toThrow(expect.objectContaining({ kind: 'FailedPrecondition' }))
  const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' }
  expect(environmentCredentials(env)).toEqual({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' })
})

test('hook: one POST, signed, and only what may become better is tried again', async () => {
  const seen: { headers: Record<string, string>; body: string }[] = []
  let status = 204
  const sink = hookSink({
    ...{
      url: 'https://platform.example.com/vehicles?key=secret',
      secret: 's'.repeat(16),
      clock: systemClock,
    },
    post: async (_url, { headers, body }) => {
      seen.push({ headers, body })
      return status
    },
  })
  expect(sink.display).toBe('hook platform.example.com')
  await sink.send(commandOf(3), signal())
  const { headers, body } = seen[0] ?? { headers: {}, body: '' }
  const [, time, mac] = /^t=(\d+),v1=([0-9a-f]+)$/.exec(headers['x-edgereel-signature'] ?? '') ?? []
  expect(body).toBe(commandOf(3).json)
  expect(mac).toBe(createHmac('sha256', 's'.repeat(16)).update(`${time}.${body}`).digest('hex'))
  status = 503
  await expect(sink.send(commandOf(3), signal())).rejects.toMatchObject({ kind: 'Unavailable' })
  status = 400
  await expect(sink.send(commandOf(3), signal())).rejects.toMatchObject({ kind: 'FailedPrecondition' })
})

test.skipIf(!hasRedis)(
  'Redis: in order over a death of Redis and a key of another type',
  async () => {
    await using redis = await RedisServer.start()
    const events: string[] = []
    const sink = redisSink({ url: redis.url, key: 'EXTERNAL_COMMAND' })
    expect(sink.display).toBe(`redis 127.0.0.1:${redis.port} EXTERNAL_COMMAND`)
    await using queue = new CommandQueue({
      sink,
      clock: systemClock,
      onEvent: ({ type }) => events.push(type),
    })
    const sent = async (count: number) => {
      await expect.poll(() => queue.figures.sent, { timeout: 20_000, interval: 20 }).toBe(count)
      return await redis.list()
    }
    queue.push(commandOf(1))
    expect(await sent(1)).toEqual([commandOf(1).json])

    await redis.kill()
    for (const channel of [2, 3, 4]) queue.push(commandOf(channel))
    await expect.poll(() => queue.figures.awaySince, { timeout: 10_000 }).toBeDefined()
    await redis.up()
    expect(await sent(4)).toEqual([2, 3, 4].map((channel) => commandOf(channel).json))
    expect(queue.figures.awaySince).toBeUndefined()

    await redis.cli('DEL', 'EXTERNAL_COMMAND')
    await redis.cli('SET', 'EXTERNAL_COMMAND', 'not a list')
    queue.push(commandOf(5))
    await expect.poll(() => queue.figures.error, { timeout: 10_000 }).toContain('WRONGTYPE')
    await redis.cli('DEL', 'EXTERNAL_COMMAND')
    expect(await sent(5)).toEqual([commandOf(5).json])
    expect(events.filter((type) => type === 'away')).toHaveLength(2)
  },
  60_000,
)
