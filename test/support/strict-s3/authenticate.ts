import { Refusal } from './refusal.ts'
import { parseAmzDate, parseScope, type Signable, sha256Hex, signatureOf } from './sigv4.ts'

export type Account = { accessKeyId: string; secretAccessKey: string; sessionToken?: string; region: string }

type Claim = {
  credential: string
  signedHeaders: string[]
  signature: string
  amzDate: string
  payloadHash: string
}

const skewMsMax = 15 * 60_000
const presignedSMax = 604_800

/** Throws what S3 answers to a request that is not signed as it says, by whom it says, for now. */
export function authenticate(request: Signable, body: Uint8Array, account: Account, nowMs: number): void {
  const isQuery = request.query.has('X-Amz-Signature')
  const authorization = request.headers.get('authorization')
  if (isQuery && authorization !== undefined)
    throw new Refusal(400, 'InvalidArgument', 'Only one auth mechanism allowed')
  if (!isQuery && authorization === undefined) throw new Refusal(403, 'AccessDenied', 'Access Denied')
  const claim = isQuery ? queryClaim(request, nowMs) : headerClaim(request, authorization ?? '', body, nowMs)
  checkSignedHeaders(request, claim.signedHeaders)
  const scope = parseScope(claim.credential)
  if (!scope) throw new Refusal(400, 'AuthorizationHeaderMalformed', 'The credential is malformed')
  if (scope.accessKeyId !== account.accessKeyId)
    throw new Refusal(
      403,
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    )
  if (scope.service !== 's3' || scope.region !== account.region || scope.date !== claim.amzDate.slice(0, 8))
    throw new Refusal(400, 'AuthorizationHeaderMalformed', 'The credential scope is wrong')
  checkSessionToken(request, account)
  const expected = signatureOf(request, { ...claim, scope, secret: account.secretAccessKey })
  if (expected !== claim.signature)
    throw new Refusal(403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match')
}

function queryClaim({ query }: Signable, nowMs: number): Claim {
  const of = (name: string) => query.get(`X-Amz-${name}`) ?? ''
  const expiresS = Number(of('Expires'))
  const signedMs = parseAmzDate(of('Date'))
  if (of('Algorithm') !== 'AWS4-HMAC-SHA256' || Number.isNaN(signedMs) || !/^\d+$/.test(of('Expires')))
    throw new Refusal(
      400,
      'AuthorizationQueryParametersError',
      'The query parameters of the signature are wrong',
    )
  if (expiresS < 1 || expiresS > presignedSMax)
    throw new Refusal(400, 'AuthorizationQueryParametersError', 'X-Amz-Expires must be less than a week')
  if (signedMs - nowMs > skewMsMax) throw new Refusal(403, 'AccessDenied', 'Request is not valid yet')
  if (nowMs > signedMs + expiresS * 1000) throw new Refusal(403, 'AccessDenied', 'Request has expired')
  return {
    credential: of('Credential'),
    signedHeaders: of('SignedHeaders').split(';'),
    signature: of('Signature'),
    amzDate: of('Date'),
    payloadHash: 'UNSIGNED-PAYLOAD',
  }
}

function headerClaim({ headers }: Signable, authorization: string, body: Uint8Array, nowMs: number): Claim {
  const found =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    )
  if (!found) throw new Refusal(400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed')
  const amzDate = headers.get('x-amz-date') ?? ''
  const payloadHash = headers.get('x-amz-content-sha256') ?? ''
  if (!(Math.abs(parseAmzDate(amzDate) - nowMs) <= skewMsMax))
    throw new Refusal(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the server time is too large.',
    )
  if (payloadHash === '')
    throw new Refusal(400, 'InvalidRequest', 'Missing required header: x-amz-content-sha256')
  if (payloadHash.startsWith('STREAMING-'))
    throw new Refusal(501, 'NotImplemented', 'aws-chunked is not spoken here')
  if (payloadHash !== 'UNSIGNED-PAYLOAD' && payloadHash !== sha256Hex(body))
    throw new Refusal(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match",
    )
  const [, credential = '', signedHeaders = '', signature = ''] = found
  return { credential, signedHeaders: signedHeaders.split(';'), signature, amzDate, payloadHash }
}

/** Every x-amz- header changes what the request does: none may be added by whoever was given a signed address. */
function checkSignedHeaders({ headers }: Signable, signed: readonly string[]): void {
  const sorted = signed.toSorted()
  if (!signed.includes('host') || signed.some((name, i) => name !== sorted[i]))
    throw new Refusal(403, 'AccessDenied', 'The signed headers must be sorted and hold the host')
  const unsigned = [...headers.keys()].filter((name) => name.startsWith('x-amz-') && !signed.includes(name))
  if (unsigned.length > 0)
    throw new Refusal(
      403,
      'AccessDenied',
      `There were headers present in the request which were not signed: ${unsigned}`,
    )
}

function checkSessionToken({ headers, query }: Signable, { sessionToken }: Account): void {
  const token = headers.get('x-amz-security-token') ?? query.get('X-Amz-Security-Token') ?? undefined
  if (token !== sessionToken)
    throw new Refusal(403, 'InvalidToken', 'The provided token is malformed or otherwise invalid.')
}
