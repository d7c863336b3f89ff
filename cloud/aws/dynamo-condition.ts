import type { Condition } from '../ports.ts'

export type Expected = Exclude<Condition, 'any'>

const living = '(attribute_not_exists(#ttl) OR #ttl > :now)'

/** A row past its time counts as absent, though DynamoDB may not have deleted it yet. */
export function writeCondition(expected: Expected, nowS: number) {
  if (expected === 'absent')
    return {
      ConditionExpression: 'attribute_not_exists(#pk) OR #ttl <= :now',
      ExpressionAttributeNames: { '#pk': 'pk', '#ttl': 'ttl' },
      ExpressionAttributeValues: { ':now': nowS },
    }
  return {
    ConditionExpression: `#version = :version AND ${living}`,
    ExpressionAttributeNames: { '#version': 'version', '#ttl': 'ttl' },
    ExpressionAttributeValues: { ':version': expected, ':now': nowS },
  }
}
