import { RemovalPolicy, Validations } from 'aws-cdk-lib'
import { CfnStage, HttpApi, HttpNoneAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

// One agent asks twice a minute and once for each batch of segments: a thousand of them fit. Beyond, 429.
const requestsPerS = 200
const requestsBurst = 400

/** The address of the page and of the API: every path goes to the one function, which knows who may. */
export class ApiDoor extends Construct {
  readonly api: HttpApi

  constructor(scope: Construct, id: string, handler: IFunction) {
    super(scope, id)
    this.api = new HttpApi(this, 'Api', {
      defaultIntegration: new HttpLambdaIntegration('Integration', handler),
      defaultAuthorizer: new HttpNoneAuthorizer(),
      createDefaultStage: false,
    })
    const log = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    new CfnStage(this, 'Stage', {
      apiId: this.api.apiId,
      stageName: '$default',
      autoDeploy: true,
      defaultRouteSettings: { throttlingRateLimit: requestsPerS, throttlingBurstLimit: requestsBurst },
      accessLogSettings: {
        destinationArn: log.logGroupArn,
        // Neither query nor path parameters beyond the path: shares' secrets stand in paths of /s/, so no path either.
        format: JSON.stringify({
          at: '$context.requestTime',
          id: '$context.requestId',
          address: '$context.identity.sourceIp',
          method: '$context.httpMethod',
          status: '$context.status',
          bytes: '$context.responseLength',
          ms: '$context.responseLatency',
          error: '$context.integrationErrorMessage',
        }),
      },
    })
    Validations.of(this.api).acknowledge({
      id: 'AwsSolutions-APIG4',
      reason:
        'The function itself knows who may: tokens are stored hashed in the catalogue, each route names its roles (test/unit/cloud/api/access.test.ts asks every one), and the page and shares are open by design.',
    })
  }

  get url(): string {
    return `https://${this.api.apiId}.execute-api.${this.api.stack.region}.${this.api.stack.urlSuffix}`
  }
}
