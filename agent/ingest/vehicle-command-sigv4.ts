import { createHash, createHmac } from 'node:crypto'

export type AwsCredentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string }

type Signing = {
  method: string
  url: URL
  /** Lower-case names; all of them are signed, with `host` and `x-amz-date`. */
  headers: Readonly<Record<string, string>>
  body: string
  service: string
  region: string
  credentials: AwsCredentials
  nowMs: number
}

/**
 * The headers of a request to AWS, with its signature (AWS Signature Version 4; IAM user guide, “Create a signed
 * request”). For requests whose path and query need no normalizing, as those of SQS.
 */
export function signedHeaders(signing: Signing): Record<string, string> {
  const { method, url, body, service, region, credentials } = signing
  const stamp = new Date(signing.nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '') // 20150830T123600Z
  const token = credentials.sessionToken
  const headers: Record<string, string> = {
    ...signing.headers,
    host: url.host,
    'x-amz-date': stamp,
    ...(token === undefined ? {} : { 'x-amz-security-token': token }),
  }
  const names = Object.keys(headers).sort()
  const canonical = [
    ...[method, url.pathname, url.search.slice(1)],
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    ...['', names.join(';'), sha256(body)],
  ].join('\n')
  const scope = `${stamp.slice(0, 8)}/${region}/${service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n')
  const key = [stamp.slice(0, 8), region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  )
  const signature = createHmac('sha256', key).update(text).digest('hex')
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, ` +
    `SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { ...headers, authorization }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
