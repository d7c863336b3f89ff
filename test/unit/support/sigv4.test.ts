import { expect, test } from 'vitest'
import { parseAmzDate, parseScope, type Signable, signatureOf } from '../../support/strict-s3/sigv4.ts'

// The judge is judged by the examples of the S3 API reference ("Signature Calculations for the Authorization
// Header", "Authenticating Requests: Using Query Parameters"), not by the SDK that it judges.

const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const host = 'examplebucket.s3.amazonaws.com'
const amzDate = '20130524T000000Z'
const scope = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', date: '20130524', region: 'us-east-1', service: 's3' }

type Example = {
  request: Omit<Signable, 'query'> & { query?: string }
  payloadHash: string
  signature: string
}

const examples: [string, Example][] = [
  [
    'GET Object with a range',
    {
      request: {
        method: 'GET',
        path: '/test.txt',
        headers: new Map([
          ['host', host],
          ['range', 'bytes=0-9'],
          ['x-amz-content-sha256', empty],
          ['x-amz-date', amzDate],
        ]),
      },
      payloadHash: empty,
      signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    },
  ],
  [
    'PUT Object with a key that needs encoding',
    {
      request: {
        method: 'PUT',
        path: '/test$file.text',
        headers: new Map([
          ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
          ['host', host],
          ['x-amz-content-sha256', '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072'],
          ['x-amz-date', amzDate],
          ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
        ]),
      },
      payloadHash: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    },
  ],
  [
    'GET Bucket Lifecycle, a query without a value',
    {
      request: {
        method: 'GET',
        path: '/',
        query: 'lifecycle',
        headers: new Map([
          ['host', host],
          ['x-amz-content-sha256', empty],
          ['x-amz-date', amzDate],
        ]),
      },
      payloadHash: empty,
      signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    },
  ],
  [
    'a presigned GET of a day',
    {
      request: {
        method: 'GET',
        path: '/test.txt',
        query:
          'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
          '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host',
        headers: new Map([['host', host]]),
      },
      payloadHash: 'UNSIGNED-PAYLOAD',
      signature: 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    },
  ],
]

test.each(examples)('%s has the signature of the reference', (_name, { request, payloadHash, signature }) => {
  const signable = { ...request, query: new URLSearchParams(request.query) }
  const signedHeaders = [...request.headers.keys()]
  expect(signatureOf(signable, { secret, scope, amzDate, signedHeaders, payloadHash })).toBe(signature)
})

test('reads dates and scopes, and nothing else', () => {
  expect(parseAmzDate(amzDate)).toBe(Date.UTC(2013, 4, 24))
  expect(parseAmzDate('2013-05-24T00:00:00Z')).toBeNaN()
  expect(parseScope('AKIA/20130524/us-east-1/s3/aws4_request')).toEqual({ ...scope, accessKeyId: 'AKIA' })
  for (const text of ['', 'a/b', 'AKIA/2013/us-east-1/s3/aws4_request', 'AKIA/20130524/us-east-1/s3/aws5'])
    expect(parseScope(text)).toBeUndefined()
})
