import { Aws, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import { AnyPrincipal, Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  HttpMethods,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { uploadUrlS } from '../shared/cloud-limits.ts'
import { bucketCors } from './bucket-cors.ts'

/** What lies below these is gone after a day or two: S3 counts days from the next midnight. */
const temporaryPrefixes = ['uploads/', 'results/', 'tmp/']

/**
 * The one bucket: private, TLS only, encrypted, without versions (docs/decisions/0009-no-versions-in-the-bucket.md). It tells the
 * mux queue of each manifest and recording that arrives, and nobody of anything else.
 */
export class ArchiveBucket extends Construct {
  readonly bucket: Bucket

  constructor(scope: Construct, id: string, options: { muxQueue: Queue }) {
    super(scope, id)
    this.bucket = new Bucket(this, 'Bucket', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: RemovalPolicy.RETAIN, // Recordings outlive a stack that was deleted by mistake.
      lifecycleRules: [
        { id: 'aborted-multiparts', abortIncompleteMultipartUploadAfter: Duration.days(1) },
        ...temporaryPrefixes.map((prefix) => ({
          id: prefix.slice(0, -1),
          prefix,
          expiration: Duration.days(1),
        })),
      ],
      cors: [
        {
          allowedMethods: bucketCors.methods.map((method) => HttpMethods[method]),
          allowedOrigins: bucketCors.origins,
          allowedHeaders: bucketCors.headers,
          exposedHeaders: bucketCors.exposed,
          maxAge: bucketCors.maxAgeS,
        },
      ],
    })
    this.#guard()
    this.#notify(options.muxQueue)
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'The API writes who asked for which recording into the catalogue (AUDIT rows); objects are reached by its 5-minute URLs only. Access logs would need a second bucket and double the requests. CloudTrail data events can be turned on without this stack.',
    })
  }

  /** Signed URLs die after 15 minutes whatever they say, and nobody replaces what an agent has sent. */
  #guard(): void {
    const { bucket } = this
    const deny = (sid: string, statement: { actions: string[]; resource: string; conditions: object }) =>
      bucket.addToResourcePolicy(
        new PolicyStatement({
          sid,
          effect: Effect.DENY,
          principals: [new AnyPrincipal()],
          actions: statement.actions,
          resources: [statement.resource],
          conditions: statement.conditions,
        }),
      )
    deny('OldSignatures', {
      actions: ['s3:*'],
      resource: bucket.arnForObjects('*'),
      conditions: { NumericGreaterThan: { 's3:signatureAge': uploadUrlS * 1000 } },
    })
    deny('RawIsWrittenOnce', {
      actions: ['s3:PutObject'],
      resource: bucket.arnForObjects('raw/*'),
      conditions: { Null: { 's3:if-none-match': 'true' } },
    })
  }

  /** In the bucket's own properties: CDK's `addEventNotification` would bring a function of its own. */
  #notify(queue: Queue): void {
    queue.addToResourcePolicy(
      new PolicyStatement({
        sid: 'Notifications',
        principals: [new ServicePrincipal('s3.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [queue.queueArn],
        // Not the bucket's ARN: S3 checks this policy when the bucket is made, so the bucket comes after it.
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    )
    const resource = this.bucket.node.defaultChild as CfnBucket
    resource.notificationConfiguration = {
      queueConfigurations: [
        {
          event: 's3:ObjectCreated:*',
          queue: queue.queueArn,
          filter: {
            s3Key: {
              rules: [
                { name: 'prefix', value: 'raw/' },
                { name: 'suffix', value: '.json' },
              ],
            },
          },
        },
      ],
    }
    resource.node.addDependency(queue.node.findChild('Policy'))
  }
}
