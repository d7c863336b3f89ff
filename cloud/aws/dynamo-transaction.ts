import { TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import { AppError } from '../../shared/error.ts'
import type { Condition, Row } from '../ports.ts'
import { awsError } from './aws-error.ts'
import { LostRace } from './lost-races.ts'

const refused = new Set(['ValidationError', 'ItemCollectionSizeLimitExceeded'])

/** Why a transaction was cancelled: `Aborted` when a condition of the caller does not hold, `LostRace` to try again. */
export function refusalOf(cause: unknown, writes: readonly { row: Row; condition: Condition }[]): Error {
  if (!(cause instanceof TransactionCanceledException)) return awsError(cause, 'The catalogue')
  for (const [i, { Code: code = 'None', Message: message = '' }] of (
    cause.CancellationReasons ?? []
  ).entries()) {
    const write = writes[i]
    if (refused.has(code)) return new AppError('InvalidArgument', `The catalogue: ${message}`, { cause })
    if (code !== 'ConditionalCheckFailed' || !write || write.condition === 'any') continue
    return new AppError('Aborted', `The row ${write.row.pk} / ${write.row.sk} has changed in between.`, {
      cause,
    })
  }
  return new LostRace(cause) // Another transaction on the same rows, throttling, or a row whose condition is `any`.
}
