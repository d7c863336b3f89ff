import type { Metadata, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import type { StreamHealth } from '../../../shared/contract/agent-api.ts'
import { AppError } from '../../../shared/error.ts'
import { grpcHealthPollMs, grpcHealthWatchesMax } from '../../../shared/limits.ts'
import type { Clock } from '../../../shared/node/clock.ts'
import { requireRole } from '../auth.ts'
import type { Identify } from './identify.ts'
import { mediaServiceName } from './media-proto.ts'
import { statusOf } from './status.ts'

type Serving = 'SERVING' | 'NOT_SERVING'
type Question = { service: string }
type Answer = { status: Serving | 'SERVICE_UNKNOWN' }
type List = { statuses: Record<string, Answer> }

export type HealthServiceOptions = {
  streams: {
    /** `NotFound` when there is no such stream. */
    health(name: string): Promise<StreamHealth>
    list(): Promise<{ name: string }[]>
  }
  clock: Clock
}

const prefix = 'stream/'

/**
 * `grpc.health.v1.Health`. The agent as a whole (`""` and the media service) may be asked for by anybody, as
 * `/healthz`; `stream/<name>` needs the role viewer: SERVING while its pictures come.
 */
export class HealthService {
  readonly #options: HealthServiceOptions
  readonly #closing = new AbortController()
  #watches = 0

  constructor(options: HealthServiceOptions) {
    this.#options = options
  }

  handlers(identify: Identify) {
    const unary =
      <Request, Response>(answer: (request: Request, metadata: Metadata) => Promise<Response>) =>
      (call: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>) => {
        answer(call.request, call.metadata).then(
          (response) => done(null, response),
          (error) => done(statusOf(error)),
        )
      }
    return {
      check: unary(async ({ service }: Question, metadata): Promise<Answer> => {
        this.#admit(service, identify, metadata)
        const status = await this.#statusOf(service)
        if (status !== 'SERVICE_UNKNOWN') return { status }
        throw new AppError('NotFound', `there is no service ${service}`, { zh: `没有服务 ${service}。` })
      }),
      list: unary(async (_: object, metadata): Promise<List> => await this.#list(identify, metadata)),
      watch: (call: ServerWritableStream<Question, Answer>) => {
        const watched = async () => {
          this.#admit(call.request.service, identify, call.metadata)
          await this.#watch(call)
        }
        watched().catch((error) => call.emit('error', statusOf(error)))
      },
    }
  }

  /** Nothing is served any more: whoever watches is told, and let go. */
  shutdown(): void {
    this.#closing.abort()
  }

  #admit(service: string, identify: Identify, metadata: Metadata): void {
    if (service.startsWith(prefix)) requireRole(identify(metadata), 'viewer', service.slice(prefix.length))
  }

  async #statusOf(service: string): Promise<Answer['status']> {
    if (service === '' || service === mediaServiceName) return this.#own
    if (!service.startsWith(prefix)) return 'SERVICE_UNKNOWN'
    try {
      const { ready } = await this.#options.streams.health(service.slice(prefix.length))
      return ready ? this.#own : 'NOT_SERVING'
    } catch (error) {
      if (AppError.from(error).kind === 'NotFound') return 'SERVICE_UNKNOWN'
      throw error
    }
  }

  get #own(): Serving {
    return this.#closing.signal.aborted ? 'NOT_SERVING' : 'SERVING'
  }

  /** That pictures have stopped is seen by time going by, so it is looked at again and again. */
  async #watch(call: ServerWritableStream<Question, Answer>): Promise<void> {
    if (this.#watches >= grpcHealthWatchesMax) throw tooMany()
    const gone = new AbortController()
    call.on('cancelled', () => gone.abort())
    if (call.cancelled) return
    const signal = AbortSignal.any([gone.signal, this.#closing.signal])
    this.#watches += 1
    try {
      let told: Answer['status'] | undefined
      while (!gone.signal.aborted) {
        const status = await this.#statusOf(call.request.service)
        if (status !== told) call.write({ status })
        told = status
        if (this.#closing.signal.aborted) break
        await this.#options.clock.sleep(grpcHealthPollMs, signal).catch(() => undefined)
      }
    } finally {
      this.#watches -= 1
    }
    call.end()
  }

  async #list(identify: Identify, metadata: Metadata): Promise<List> {
    const services = ['', mediaServiceName]
    if (isViewer(identify, metadata)) {
      services.push(...(await this.#options.streams.list()).map(({ name }) => `${prefix}${name}`))
    }
    const statuses: List['statuses'] = {}
    for (const service of services) statuses[service] = { status: await this.#statusOf(service) }
    return { statuses }
  }
}

function isViewer(identify: Identify, metadata: Metadata): boolean {
  try {
    requireRole(identify(metadata), 'viewer')
    return true
  } catch {
    return false
  }
}

function tooMany(): AppError {
  return new AppError('ResourceExhausted', `${grpcHealthWatchesMax} watch the health already, no more fit`, {
    zh: `已有 ${grpcHealthWatchesMax} 个健康监视，无法再增加。`,
  })
}
