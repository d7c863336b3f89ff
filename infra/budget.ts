import { Aws, CfnCondition, Fn } from 'aws-cdk-lib'
import { CfnBudget } from 'aws-cdk-lib/aws-budgets'
import type { Topic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'

/** China and GovCloud are billed elsewhere: neither the resource nor the service that would tell is there. */
export class BudgetsHere extends CfnCondition {
  constructor(scope: Construct, id: string) {
    super(scope, id, { expression: Fn.conditionEquals(Aws.PARTITION, 'aws') })
  }

  /** Who tells; elsewhere one that is there, for a policy that names an unknown one is refused. */
  get service(): string {
    return Fn.conditionIf(this.logicalId, 'budgets.amazonaws.com', 'cloudwatch.amazonaws.com').toString()
  }
}

/**
 * Told at 80 % of the month's money, and when it will be passed. Of the whole account: a budget of this stack alone
 * would see nothing until someone had turned its tag on as a cost allocation tag.
 */
export class Budget extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { usd, topic, here }: { usd: number; topic: Topic; here: BudgetsHere },
  ) {
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
    budget.cfnOptions.condition = here
  }
}
