import { createHash, randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { AppError } from '../../shared/error.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { addToken } from '../rows/access.ts'
import { clientSettings } from './client-settings.ts'
import { DynamoCatalogue } from './dynamodb.ts'

// `edgereel token create NAME --aws`: whoever may write the stack's table makes the first admin's token, with the
// credentials that the SDK finds. Only its hash is written; the token itself is printed, once.
const { values } = parseArgs({ options: { table: { type: 'string' }, name: { type: 'string' } } })

async function run(table: string, name: string): Promise<void> {
  const token = randomBytes(32).toString('base64url')
  const sha256 = createHash('sha256').update(token).digest('hex')
  const createdAt = systemClock.nowMs()
  const client = new DynamoDBClient({ ...clientSettings, maxAttempts: 3 })
  const catalogue = new DynamoCatalogue(client, table, systemClock)
  await addToken(catalogue, { sha256, name, role: 'admin', createdAt })
  client.destroy()
  process.stdout.write(JSON.stringify({ token, name, role: 'admin', createdAt }))
}

/** One sentence that says what to do; the SDK's own words tell a newcomer little. */
function sentence(cause: unknown, table: string): string {
  const reason = cause instanceof AppError && cause.cause instanceof Error ? cause.cause : cause
  const name = reason instanceof Error ? reason.name : ''
  if (/Credentials|Token(Provider|Refresh)|SSO/i.test(name)) {
    return 'no AWS credentials were found, or they are too old: run aws configure or aws sso login, or set AWS_PROFILE'
  }
  if (/Region is missing/i.test(String(reason)))
    return 'no AWS region is set: set AWS_REGION to that of the stack'
  if (name === 'ResourceNotFoundException') {
    return `there is no table ${table} in this account and region: check AWS_PROFILE, AWS_REGION and --table`
  }
  if (/AccessDenied|UnrecognizedClient|InvalidSignature/.test(name)) {
    return `these AWS credentials may not write the table ${table}: use those that deployed the stack`
  }
  return `the token could not be written: ${reason instanceof Error ? reason.message : String(reason)}`
}

const { table = '', name = '' } = values
await run(table, name).catch((cause: unknown) => {
  process.stderr.write(sentence(cause, table))
  process.exitCode = 1
})
