/** A rule of a bucket's CORS configuration. */
export type CorsRule = {
  methods: string[]
  origins: string[]
  headers: string[]
  exposed: string[]
  maxAgeS: string | undefined
}

export function parseCors(xml: string): CorsRule[] {
  return [...xml.matchAll(/<CORSRule>([\s\S]*?)<\/CORSRule>/g)].map(([, rule = '']) => {
    const all = (tag: string) =>
      [...rule.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'g'))].map(([, text = '']) => text)
    return {
      methods: all('AllowedMethod'),
      origins: all('AllowedOrigin'),
      headers: all('AllowedHeader'),
      exposed: all('ExposeHeader'),
      maxAgeS: all('MaxAgeSeconds')[0],
    }
  })
}

/**
 * What S3 adds to the answer for a page of `origin`; undefined when no rule takes it (S3 user guide, "How does Amazon
 * S3 evaluate the CORS configuration on a bucket?"). `wanted`: of a preflight, the names of headers.
 */
export function corsHeaders(
  rules: readonly CorsRule[],
  asked: { origin: string; method: string; wanted?: string | undefined },
): Record<string, string> | undefined {
  const names = (asked.wanted ?? '').split(',').filter((name) => name.trim() !== '')
  const rule = rules.find(
    ({ origins, methods, headers }) =>
      (origins.includes('*') || origins.includes(asked.origin)) &&
      methods.includes(asked.method) &&
      names.every((name) => headers.some((taken) => taken === '*' || taken.toLowerCase() === name.trim())),
  )
  if (!rule) return undefined
  return {
    'access-control-allow-origin': rule.origins.includes('*') ? '*' : asked.origin,
    'access-control-allow-methods': rule.methods.join(', '),
    ...(names.length > 0 && { 'access-control-allow-headers': names.join(',') }),
    ...(rule.exposed.length > 0 && { 'access-control-expose-headers': rule.exposed.join(', ') }),
    ...(rule.maxAgeS !== undefined && { 'access-control-max-age': rule.maxAgeS }),
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  }
}
