import { fileURLToPath } from 'node:url'
import {
  type CallOptions,
  type ChannelOptions,
  type ClientReadableStream,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js'
import { load } from '@grpc/proto-loader'

const proto = fileURLToPath(new URL('../../agent/control/grpc/edgereel.proto', import.meta.url))
const healthProto = fileURLToPath(
  new URL('../../node_modules/grpc-health-check/proto/health/v1/health.proto', import.meta.url),
)
const loaderOptions = { longs: Number, enums: String, defaults: true, oneofs: true }

export type ReceivedUnit = {
  codec: string
  dts: number
  pts: number
  key: boolean
  payload: Buffer
  track: string
  epoch: number
  arrivedAt: number
  config: { codecString: string; width: number; parameterSets: Buffer; sampleRate: number } | null
  dropped: { units: number; bytes: number; totalUnits: number } | null
}

type Unary = (request: object, metadata: Metadata, options: CallOptions, done: Done) => void
type Done = (error: ServiceError | null, answer: unknown) => void

/** A client of an agent's gRPC service, as a program of somebody else would be: made from the .proto alone. */
export class MediaClient implements Disposable {
  readonly #media: InstanceType<ServiceClientConstructor>
  readonly #health: InstanceType<ServiceClientConstructor>
  readonly #token: string | undefined

  private constructor(
    loaded: GrpcObject,
    address: string,
    token: string | undefined,
    options: ChannelOptions,
  ) {
    const channel = {
      'grpc.max_receive_message_length': 10 * 1024 * 1024,
      'grpc.default_authority': 'localhost',
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    }
    const Media = at(loaded, 'edgereel.v1.MediaService')
    const Health = at(loaded, 'grpc.health.v1.Health')
    this.#media = new Media(address, credentials.createInsecure(), channel)
    this.#health = new Health(address, credentials.createInsecure(), channel)
    this.#token = token
  }

  static async open(
    address: string,
    { token, options = {} }: { token?: string | undefined; options?: ChannelOptions } = {},
  ): Promise<MediaClient> {
    const loaded = loadPackageDefinition(await load([proto, healthProto], loaderOptions))
    return new MediaClient(loaded, address, token, options)
  }

  /** Rejects with grpc-js's error: `code`, `details`, `metadata`. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are what the .proto says, and tests look at them field by field.
  async call(method: string, request: object = {}, options: CallOptions = {}): Promise<any> {
    const client = method === 'Check' || method === 'List' ? this.#health : this.#media
    return await new Promise((resolve, reject) => {
      const unary = client[method] as unknown as Unary
      unary.call(client, request, this.#metadata(), options, (error, answer) =>
        error ? reject(error) : resolve(answer),
      )
    })
  }

  open(request: object, options: CallOptions = {}): ClientReadableStream<ReceivedUnit> {
    const call = (this.#media.OpenStream as unknown as Opener).call(
      this.#media,
      request,
      this.#metadata(),
      options,
    )
    call.on('error', () => undefined) // Tests that want it look for it.
    return call
  }

  /** Every answer of `Watch` goes to `onStatus`, until cancelled. */
  watch(service: string, onStatus: (status: string) => void): ClientReadableStream<{ status: string }> {
    const watching = this.#health.Watch as unknown as (
      request: object,
      metadata: Metadata,
    ) => ClientReadableStream<{ status: string }>
    const call = watching.call(this.#health, { service }, this.#metadata())
    call.on('error', () => undefined)
    call.on('data', ({ status }) => onStatus(status))
    return call
  }

  [Symbol.dispose](): void {
    this.#media.close()
    this.#health.close()
  }

  #metadata(): Metadata {
    const metadata = new Metadata()
    if (this.#token !== undefined) metadata.set('authorization', `Bearer ${this.#token}`)
    return metadata
  }
}

type Opener = (
  request: object,
  metadata: Metadata,
  options: CallOptions,
) => ClientReadableStream<ReceivedUnit>

function at(loaded: GrpcObject, path: string): ServiceClientConstructor {
  let here: unknown = loaded
  for (const part of path.split('.')) here = (here as Record<string, unknown>)[part]
  return here as ServiceClientConstructor
}

/** How a call ended: its status, whether it was good or not. */
export function ended(
  call: ClientReadableStream<ReceivedUnit>,
): Promise<{ code: number; details: string; metadata: Metadata }> {
  return new Promise((resolve) => call.on('status', resolve))
}
