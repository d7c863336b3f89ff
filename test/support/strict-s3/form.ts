import type { Account } from './authenticate.ts'
import { Refusal } from './refusal.ts'
import { parseScope, signingKeyOf, signTextWith } from './sigv4.ts'

export type Form = { key: string; fields: Map<string, string>; file: Buffer }

type Policy = { expiration?: unknown; conditions?: unknown }

/** What the policy does not have to name (S3 API reference, "POST Policy", Conditions). */
const unnamed = /^(x-amz-signature|policy|file|x-ignore-.*)$/

/** A form of a page, in memory. Names of fields are told apart without regard to case. */
export async function readForm(contentType: string, body: Buffer): Promise<Form> {
  const response = new Response(new Uint8Array(body), { headers: { 'content-type': contentType } })
  const form = await response.formData().catch(() => {
    throw new Refusal(400, 'MalformedPOSTRequest', 'The body is not well-formed multipart/form-data.')
  })
  const fields = new Map<string, string>()
  for (const [name, value] of form) {
    if (name === 'file') {
      if (typeof value === 'string') break
      return { key: fields.get('key') ?? '', fields, file: Buffer.from(await value.arrayBuffer()) }
    }
    if (typeof value === 'string') fields.set(name.toLowerCase(), value) // What stands behind the file is ignored.
  }
  throw new Refusal(400, 'InvalidArgument', 'POST requires exactly one file upload per request.')
}

/** Throws what S3 answers to a form whose policy is not signed, over, or not kept. */
export function checkForm({ fields, file }: Form, bucket: string, account: Account, nowMs: number): void {
  const text = fields.get('policy')
  if (text === undefined) throw new Refusal(403, 'AccessDenied', 'Access Denied')
  const scope = parseScope(fields.get('x-amz-credential') ?? '')
  if (!scope || scope.accessKeyId !== account.accessKeyId)
    throw new Refusal(403, 'InvalidAccessKeyId', 'The credential is not one of ours')
  const isDated = fields.get('x-amz-date')?.slice(0, 8) === scope.date
  if (scope.service !== 's3' || scope.region !== account.region || !isDated)
    throw new Refusal(400, 'AuthorizationHeaderMalformed', 'The credential scope is wrong')
  if (fields.get('x-amz-algorithm') !== 'AWS4-HMAC-SHA256')
    throw new Refusal(400, 'InvalidArgument', 'x-amz-algorithm is wrong')
  if (fields.get('x-amz-security-token') !== account.sessionToken)
    throw new Refusal(403, 'InvalidToken', 'The provided token is malformed or otherwise invalid.')
  const expected = signTextWith(signingKeyOf(account.secretAccessKey, scope), text)
  if (fields.get('x-amz-signature') !== expected)
    throw new Refusal(403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match')
  checkPolicy(parsePolicy(text), new Map([...fields, ['bucket', bucket]]), file.length, nowMs)
}

function checkPolicy(policy: Policy, fields: Map<string, string>, fileBytes: number, nowMs: number): void {
  const expiresMs = Date.parse(String(policy.expiration))
  if (!(nowMs < expiresMs))
    throw new Refusal(403, 'AccessDenied', 'Invalid according to Policy: Policy expired.')
  const named = new Set<string>()
  for (const condition of Array.isArray(policy.conditions) ? policy.conditions : []) {
    if (Array.isArray(condition) && condition[0] === 'content-length-range') {
      checkLength(fileBytes, Number(condition[1]), Number(condition[2]))
      continue
    }
    const [name, value] = equalityOf(condition)
    named.add(name)
    if (fields.get(name) !== value)
      throw new Refusal(403, 'AccessDenied', `Invalid according to Policy: Policy Condition failed: ${name}`)
  }
  const extra = [...fields.keys()].filter((name) => !named.has(name) && !unnamed.test(name))
  if (extra.length > 0)
    throw new Refusal(403, 'AccessDenied', `Invalid according to Policy: Extra input fields: ${extra}`)
}

function equalityOf(condition: unknown): [string, string] {
  if (Array.isArray(condition) && condition[0] === 'eq')
    return [String(condition[1]).replace(/^\$/, '').toLowerCase(), String(condition[2])]
  const [entry, ...more] = Object.entries(condition as object)
  if (!entry || more.length > 0 || Array.isArray(condition))
    throw new Refusal(400, 'InvalidPolicyDocument', 'This condition is not known here.')
  return [entry[0].toLowerCase(), String(entry[1])]
}

function checkLength(bytes: number, min: number, max: number): void {
  if (bytes > max)
    throw new Refusal(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size')
  if (bytes < min)
    throw new Refusal(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size')
}

function parsePolicy(text: string): Policy {
  try {
    return JSON.parse(Buffer.from(text, 'base64').toString()) as Policy
  } catch {
    throw new Refusal(400, 'InvalidPolicyDocument', 'Invalid Policy: Invalid JSON.')
  }
}
