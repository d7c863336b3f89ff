import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { expect, test } from 'vitest'
import { readEnvironment } from '../../../../cloud/aws/environment.ts'
import { requestOf, resultOf } from '../../../../cloud/aws/lambda/api-event.ts'

const event = (more: Partial<APIGatewayProxyEventV2> & { method?: string }) =>
  ({
    rawPath: '/v1/tasks',
    rawQueryString: 'limit=5&cursor=a%2Fb',
    headers: { host: 'api.example', 'content-type': 'application/json' },
    isBase64Encoded: false,
    requestContext: { domainName: 'api.example', http: { method: more.method ?? 'GET' } },
    ...more,
  }) as unknown as APIGatewayProxyEventV2

test('an event of an HTTP API is the request that was sent', async () => {
  const got = requestOf(event({ cookies: ['a=1', 'b=2'] }))
  expect([got.method, got.url]).toEqual(['GET', 'https://api.example/v1/tasks?limit=5&cursor=a%2Fb'])
  expect(got.headers.get('cookie')).toBe('a=1; b=2')
  const body = Buffer.from('{"录":1}').toString('base64')
  expect(await requestOf(event({ method: 'POST', body, isBase64Encoded: true })).json()).toEqual({ 录: 1 })
  expect(await requestOf(event({ method: 'POST', body: '{"a":1}' })).json()).toEqual({ a: 1 })
  expect(requestOf(event({ rawQueryString: '' })).url).toBe('https://api.example/v1/tasks')
})

test('texts go back as they are, anything else as base64, cookies on their own', async () => {
  const json = await resultOf(Response.json({ ok: true }, { status: 202 }))
  expect(json).toMatchObject({ statusCode: 202, body: '{"ok":true}', isBase64Encoded: false })
  const picture = new Response(new Uint8Array([0xff, 0xd8]), { headers: { 'content-type': 'image/jpeg' } })
  expect(await resultOf(picture)).toMatchObject({ body: '/9g=', isBase64Encoded: true })
  const headers = [
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['location', '/x'],
  ] as [string, string][]
  const redirect = await resultOf(new Response(null, { status: 302, headers }))
  expect(redirect).toMatchObject({ statusCode: 302, cookies: ['a=1', 'b=2'], headers: { location: '/x' } })
  expect(redirect.headers).not.toHaveProperty('set-cookie')
})

test('a function that lacks a variable says which', () => {
  const names = ['MUX', 'THUMBNAIL', 'EXPORT', 'BEATSYNC'].flatMap((name) => [name, `${name}_DLQ`])
  const queues = Object.fromEntries(names.map((name) => [`EDGEREEL_QUEUE_${name}`, `https://sqs/${name}`]))
  const env = { EDGEREEL_BUCKET: 'b', EDGEREEL_TABLE: 't', ...queues }
  expect(readEnvironment(env).queues.export).toEqual({
    url: 'https://sqs/EXPORT',
    deadUrl: 'https://sqs/EXPORT_DLQ',
  })
  expect(() => readEnvironment({ ...env, EDGEREEL_TABLE: '' })).toThrow('EDGEREEL_TABLE')
  expect(() => readEnvironment({ ...env, EDGEREEL_QUEUE_MUX_DLQ: 'x' })).toThrow('EDGEREEL_QUEUE_MUX_DLQ')
})
