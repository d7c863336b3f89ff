/**
 * Who may use a signed URL from within a page: any page that has one. It is all the authority there is, and no cookie
 * goes along. Plain data, for the stack and for the tests' own S3.
 */
export const bucketCors = {
  methods: ['GET', 'HEAD', 'PUT', 'POST'] as const,
  origins: ['*'],
  headers: ['*'],
  exposed: ['ETag', 'Content-Length', 'Content-Range', 'Accept-Ranges'],
  maxAgeS: 3600,
}
