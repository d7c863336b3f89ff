import { Aws, CfnCondition, Fn } from 'aws-cdk-lib'
import { CfnBudget } from 'aws-cdk-lib/aws-budgets'
import type { Topic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'

/**
 * Told at 80 % of the month's money, and when it will be passed. Of the whole account: a budget of this stack alone
 * would see nothing until someone had turned its tag on as a cost allocation tag.
 */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, { usd, topic }: { usd: number; topic: Topic }) {
    super(scope, id)
    const told = (notificationType: 'ACTUAL' | 'FORECASTED', threshold: number) => ({
      notification: {
        notificationType,
        comparisonOperator: 'GREATER_THAN',
        threshold,
        thresholdType: 'PERCENTAGE',
      },
      subscribers: [{ subscriptionType: 'SNS', address: topic.topicArn }],
    })
    const budget = new CfnBudget(this, 'Budget', {
      budget: { budgetType: 'COST', timeUnit: 'MONTHLY', budgetLimit: { amount: usd, unit: 'USD' } },
      notificationsWithSubscribers: [told('ACTUAL', 80), told('FORECASTED', 100)],
    })
    budget.node.addDependency(topic)
    // China and GovCloud are billed elsewhere: there is no such resource there.
    budget.cfnOptions.condition = new CfnCondition(this, 'IsThere', {
      expression: Fn.conditionEquals(Aws.PARTITION, 'aws'),
    })
  }
}
