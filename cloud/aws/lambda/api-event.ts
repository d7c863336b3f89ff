import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'

/** A request of an HTTP API (payload format 2.0) as the web's own. */
export function requestOf(event: APIGatewayProxyEventV2): Request {
  const { method } = event.requestContext.http
  const headers = new Headers()
  for (const [name, value] of Object.entries(event.headers)) if (value !== undefined) headers.set(name, value)
  if (event.cookies && event.cookies.length > 0) headers.set('cookie', event.cookies.join('; '))
  const query = event.rawQueryString === '' ? '' : `?${event.rawQueryString}`
  const url = `https://${event.requestContext.domainName}${event.rawPath}${query}`
  const hasBody = event.body !== undefined && method !== 'GET' && method !== 'HEAD'
  const body = hasBody ? Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8') : undefined
  return new Request(url, { method, headers, ...(body && { body }) })
}

// Sent as it is; anything else (pictures, compressed files) as base64, which API Gateway takes apart again.
const textType = /^(text\/|application\/(json|javascript|vnd\.apple\.mpegurl|manifest\+json)|image\/svg)/

export async function resultOf(response: Response): Promise<APIGatewayProxyStructuredResultV2> {
  const headers: Record<string, string> = {}
  for (const [name, value] of response.headers) if (name !== 'set-cookie') headers[name] = value
  const bytes = Buffer.from(await response.arrayBuffer())
  const isText = textType.test(headers['content-type'] ?? 'text/') && !headers['content-encoding']
  return {
    statusCode: response.status,
    headers,
    cookies: response.headers.getSetCookie(),
    body: bytes.toString(isText ? 'utf8' : 'base64'),
    isBase64Encoded: !isText,
  }
}
