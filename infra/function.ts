import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Duration, RemovalPolicy, Size, Validations } from 'aws-cdk-lib'
import type { Table } from 'aws-cdk-lib/aws-dynamodb'
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { type ILayerVersion, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { NodejsFunction, OutputFormat, SourceMapMode } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { architectureOf } from './ffmpeg-layer.ts'
import type { FunctionSize } from './functions.ts'
import type { Settings } from './settings.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

export type HandlerOptions = {
  /** Of `cloud/aws/lambda/<name>.ts`, which exports `handler`. */
  name: string
  size: FunctionSize
  settings: Settings
  layer?: ILayerVersion
  /** Copied beside the bundle, by path from the root of the checkout. */
  files?: string[]
  /** Scripts of its threads, each bundled beside it: `align-worker.ts` is there as `align-worker.mjs`. */
  threads?: string[]
}

/** One handler: bundled by esbuild into one file, with a role that may write its own log and nothing else yet. */
export class Handler extends Construct {
  readonly function: NodejsFunction
  readonly role: Role
  readonly name: string

  constructor(scope: Construct, id: string, options: HandlerOptions) {
    super(scope, id)
    const { name, size, settings, layer, files = [], threads = [] } = options
    this.name = name
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    const logGroup = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.function = new NodejsFunction(this, 'Function', {
      entry: join(root, 'cloud/aws/lambda', `${name}.ts`),
      projectRoot: root,
      depsLockFilePath: join(root, 'package-lock.json'),
      runtime: Runtime.NODEJS_24_X,
      architecture: architectureOf(settings),
      memorySize: size.memoryMb,
      timeout: Duration.seconds(size.timeoutS),
      ephemeralStorageSize: Size.mebibytes(size.diskMb),
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      environment: { NODE_OPTIONS: '--enable-source-maps', ...(layer && { FFMPEG_BIN: '/opt/bin/ffmpeg' }) },
      ...(layer && { layers: [layer] }),
      bundling: {
        format: OutputFormat.ESM,
        target: 'node24',
        mainFields: ['module', 'main'],
        minify: true,
        sourceMap: true,
        sourceMapMode: SourceMapMode.DEFAULT,
        sourcesContent: false,
        bundleAwsSDK: true, // Ours is the version that was tested; that of the runtime changes by itself.
        esbuildArgs: { '--keep-names': true },
        // Libraries in CommonJS ask for Node's modules by `require`.
        banner: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
        commandHooks: {
          beforeInstall: () => [],
          beforeBundling: () => [],
          afterBundling: (input, output) => [
            ...files.map((file) => `cp -R "${join(input, file)}" "${output}"`),
            ...threads.map((thread) => bundleThread(input, thread, output)),
          ],
        },
      },
    })
    this.#allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn])
  }

  setEnvironment(values: Record<string, string>): void {
    for (const [key, value] of Object.entries(values)) this.function.addEnvironment(key, value)
  }

  /** Objects by prefix. `ListBucket` is for the names only, and lets a missing object answer 404 instead of 403. */
  allowObjects(bucket: Bucket, may: { read: string[]; write: string[]; remove: string[] }): void {
    const objects = (list: string[]) => list.map((prefix) => bucket.arnForObjects(`${prefix}*`))
    if (may.read.length > 0) {
      this.#allow(['s3:GetObject'], objects(may.read))
      this.#allow(['s3:ListBucket'], [bucket.bucketArn])
    }
    if (may.write.length > 0) this.#allow(['s3:PutObject', 's3:AbortMultipartUpload'], objects(may.write))
    if (may.remove.length > 0) this.#allow(['s3:DeleteObject'], objects(may.remove))
    const all = new Set([...may.read, ...may.write, ...may.remove])
    for (const prefix of all) this.#explainPrefix(bucket, prefix)
  }

  #explainPrefix(bucket: Bucket, prefix: string): void {
    const name = bucket.stack.getLogicalId(bucket.node.defaultChild as CfnBucket)
    Validations.of(this.role).acknowledge({
      id: `AwsSolutions-IAM5[Resource::<${name}.Arn>/${prefix}*]`,
      reason: `Keys below ${prefix} are made while it runs; this is the narrowest resource that holds them.`,
    })
  }

  /** Rows, and the two indexes. No scans. */
  allowRows(table: Table): void {
    this.#allow(
      ['GetItem', 'PutItem', 'DeleteItem', 'Query'].map((it) => `dynamodb:${it}`),
      [table.tableArn],
    )
    this.#allow(
      ['dynamodb:Query'],
      ['gsi1', 'gsi2'].map((index) => `${table.tableArn}/index/${index}`),
    )
  }

  allowQueue(actions: string[], arns: string[]): void {
    this.#allow(
      actions.map((action) => `sqs:${action}`),
      arns,
    )
  }

  #allow(actions: string[], resources: string[]): void {
    this.role.addToPolicy(new PolicyStatement({ effect: Effect.ALLOW, actions, resources }))
  }
}

function bundleThread(input: string, thread: string, output: string): string {
  const outfile = join(output, `${basename(thread, '.ts')}.mjs`)
  const how = '--bundle --platform=node --format=esm --target=node24 --minify --log-level=warning'
  return `"${join(input, 'node_modules/.bin/esbuild')}" "${join(input, thread)}" ${how} --outfile="${outfile}"`
}
