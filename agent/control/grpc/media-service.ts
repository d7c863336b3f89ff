import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import { AppError } from '../../../shared/error.ts'
import { grpcStreamsMax } from '../../../shared/limits.ts'
import type { Clock } from '../../../shared/node/clock.ts'
import { type LiveClient, liveClient } from '../../live-client.ts'
import { type Principal, requireRole } from '../auth.ts'
import type { Commands } from '../commands-port.ts'
import { reportMessage, stopped, streamMessage } from './answers.ts'
import type { Identify } from './identify.ts'
import * as messages from './messages.ts'
import {
  invalid,
  isAddress,
  recordingRequest,
  type WantedSource,
  wantedSource,
  wantedTrack,
} from './requests.ts'
import { statusOf } from './status.ts'
import { type LiveStream, StreamCall, type StreamCallEnd } from './stream-call.ts'
import type { UnitEncoder } from './unit-encoder.ts'

/** A camera that was opened by its address, for as long as it is not released. */
export type OpenedSource = { name: string; release(): void }

export type GrpcViewerEvent = { stream: string; transport: 'grpc'; client: LiveClient } & (
  | { type: 'play'; close(): void }
  | { type: 'stop' }
)

export type MediaServiceOptions = {
  commands: Pick<Commands, 'streams' | 'recordings' | 'snapshot'>
  findStream: (name: string) => LiveStream | undefined
  /** Absent where cameras cannot be opened by their address. */
  openSource?: (uri: string, track?: 'main' | 'sub' | 'third') => Promise<OpenedSource>
  /** Asked now, and then while no key frame comes: why the camera of a stream fails. */
  failing?: (stream: string) => () => AppError | undefined
  encoder: UnitEncoder
  clock: Clock
  /** From the arrival of a unit until it is with the connection. */
  onHanded: (latencyMs: number, stream: string) => void
  /** A client opened a stream, or has left it. */
  onViewer?: (event: GrpcViewerEvent) => void
  onFault: (error: unknown) => void
  keyFrameWaitMs?: number
}

export type GrpcFigures = {
  /** Open now. */
  streams: number
  /** Wait in the queues of open streams, now. */
  readonly queuedUnits: number
  /** Calls that were answered or refused, by status code. */
  calls: Record<number, number>
  /** Handed to connections. */
  bytes: number
  droppedUnits: number
  ended: Record<StreamCallEnd, number>
}

function figuresOf(open: ReadonlySet<StreamCall>): GrpcFigures {
  return {
    streams: 0,
    get queuedUnits() {
      return [...open].reduce((sum, { queuedUnits }) => sum + queuedUnits, 0)
    },
    calls: {},
    bytes: 0,
    droppedUnits: 0,
    ended: { ended: 0, cancelled: 0, stalled: 0, 'no-key-frame': 0, failed: 0, shutdown: 0, closed: 0 },
  }
}

type Wanted = {
  stream: LiveStream
  client: LiveClient
  track: 'video' | 'audio' | undefined
  source: OpenedSource
}

/** `edgereel.v1.MediaService`: checks who asks and the form of the question; what is asked for is done by `Commands`. */
export class MediaService {
  readonly #open = new Set<StreamCall>()
  readonly figures: GrpcFigures = figuresOf(this.#open)
  readonly #options: MediaServiceOptions

  constructor(options: MediaServiceOptions) {
    this.#options = options
  }

  /** For a door that knows its callers in this way. */
  handlers(identify: Identify) {
    const unary =
      <Request, Response>(answer: (request: Request, principal: Principal) => Promise<Response>) =>
      (call: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>) => {
        const answered = async () => await answer(call.request, identify(call.metadata))
        answered().then(
          (response) => {
            this.#count(0)
            done(null, response)
          },
          (error) => done(this.failure(error)),
        )
      }
    return {
      OpenStream: (call: ServerWritableStream<messages.OpenStreamRequest, never>) => {
        const opened = async () => await this.#openStream(call, identify(call.metadata))
        opened().catch((error) => call.emit('error', this.failure(error)))
      },
      StartRecording: unary((request: messages.StartRecordingRequest, who) => this.#start(request, who)),
      GetRecordingReport: unary((request: messages.RecordingReportRequest, who) =>
        this.#report(request, who),
      ),
      StopRecording: unary((request: messages.StopRecordingRequest, who) => this.#stop(request, who)),
      CaptureSnapshot: unary((request: messages.CaptureSnapshotRequest, who) => this.#snapshot(request, who)),
      ListStreams: unary((_request: object, who) => this.#list(who)),
    }
  }

  /** The status of a call that failed, counted; what nobody foresaw is reported. */
  failure(error: unknown): ReturnType<typeof statusOf> {
    const isForeseen = error instanceof AppError && error.kind !== 'Internal'
    if (!isForeseen) this.#options.onFault(error)
    const status = statusOf(error)
    this.#count(AppError.from(error).grpcCode)
    return status
  }

  /** Ends all open streams. */
  shutdown(): void {
    for (const call of [...this.#open]) call.shutdown()
  }

  async #openStream(
    call: ServerWritableStream<messages.OpenStreamRequest, never>,
    principal: Principal,
  ): Promise<void> {
    const wanted = wantedSource(call.request)
    const { media, camera } = wantedTrack(call.request.track, wanted)
    requireRole(principal, wanted.uri === undefined ? 'viewer' : 'operator', wanted.name)
    if (this.#open.size >= grpcStreamsMax) throw tooMany()
    const source = await this.#source(wanted, camera)
    const stream = this.#options.findStream(source.name)
    if (!stream) {
      source.release()
      throw new AppError('NotFound', `there is no stream ${source.name}`, {
        zh: `没有名为 ${source.name} 的流。`,
      })
    }
    const client = liveClient(call.getPeer(), 'grpc', new URLSearchParams(), principal.subject)
    this.#send(call, { stream, client, track: media, source })
  }

  #send(
    call: ServerWritableStream<messages.OpenStreamRequest, never>,
    { stream, client, track, source }: Wanted,
  ): void {
    const who = { stream: stream.name, transport: 'grpc', client } as const
    const { figures } = this
    const { encoder, clock, onHanded, onViewer, keyFrameWaitMs, failing } = this.#options
    const sending = new StreamCall({
      ...{ call, stream, track, encoder, clock },
      onHanded: (ms) => onHanded(ms, stream.name),
      failure: failing?.(stream.name) ?? (() => undefined),
      ...(keyFrameWaitMs === undefined ? {} : { keyFrameWaitMs }),
      onBytes: (sizeBytes) => {
        figures.bytes += sizeBytes
      },
      onDropped: (units) => {
        figures.droppedUnits += units
      },
      onEnd: (reason) => {
        this.#open.delete(sending)
        figures.streams = this.#open.size
        figures.ended[reason] += 1
        source.release()
        onViewer?.({ type: 'stop', ...who })
      },
    })
    this.#open.add(sending)
    onViewer?.({ type: 'play', ...who, close: () => sending.close() })
    figures.streams = this.#open.size
    this.#count(0)
    sending.start()
  }

  async #start(
    request: messages.StartRecordingRequest,
    principal: Principal,
  ): Promise<messages.StartRecordingResponse> {
    requireRole(principal, 'operator')
    await using opened = new AsyncDisposableStack() // A recording holds its streams itself, once it has begun.
    const names: string[] = []
    for (const stream of request.streams) {
      const source = await this.#source(isAddress(stream) ? { uri: stream } : { name: stream })
      opened.defer(() => source.release())
      names.push(source.name)
    }
    const { id, streams } = await this.#options.commands.recordings.start(recordingRequest(request, names))
    const present = new Set(streams.map(({ name }) => name.toLowerCase()))
    if (!names.every((name) => present.has(name.toLowerCase()))) {
      throw new AppError('AlreadyExists', `recording ${id} is there, of other streams`, {
        zh: `录像 ${id} 已存在，但流不同。`,
      })
    }
    return {
      recordingId: id,
      streams: streams.map(({ startsAt, ...rest }) => ({
        ...rest,
        startsAt: messages.timestampOf(startsAt),
      })),
    }
  }

  async #stop(
    { recordingId }: messages.StopRecordingRequest,
    principal: Principal,
  ): Promise<messages.StopRecordingResponse> {
    requireRole(principal, 'operator')
    if (recordingId === '') throw invalid('give `recording_id`', '请给出 recording_id。')
    return stopped(await this.#options.commands.recordings.stop(recordingId))
  }

  async #report(
    { recordingId }: messages.RecordingReportRequest,
    principal: Principal,
  ): Promise<messages.RecordingReportMessage> {
    requireRole(principal, 'viewer')
    if (recordingId === '') throw invalid('give `recording_id`', '请给出 recording_id。')
    return reportMessage(await this.#options.commands.recordings.report(recordingId))
  }

  async #snapshot(
    request: messages.CaptureSnapshotRequest,
    principal: Principal,
  ): Promise<messages.CaptureSnapshotResponse> {
    const wanted = wantedSource(request)
    requireRole(principal, 'operator', wanted.name)
    const { commands } = this.#options
    if (!commands.snapshot) throw unavailable('this agent makes no snapshots', '此版本不支持截图。')
    const source = await this.#source(wanted)
    try {
      const at = request.time ? { at: messages.millisecondsOf(request.time) } : {}
      const { jpeg, takenAt } = await commands.snapshot({ stream: source.name, ...at })
      return { jpeg, takenAt: messages.timestampOf(takenAt) }
    } finally {
      source.release()
    }
  }

  async #list(principal: Principal): Promise<messages.ListStreamsResponse> {
    requireRole(principal, 'viewer')
    return { streams: (await this.#options.commands.streams.list()).map(streamMessage) }
  }

  async #source({ name, uri }: WantedSource, track?: 'main' | 'sub' | 'third'): Promise<OpenedSource> {
    if (uri === undefined) return { name, release: () => undefined }
    const { openSource } = this.#options
    if (!openSource)
      throw unavailable('this agent opens no cameras by their address', '此版本不支持按地址打开摄像头。')
    return await openSource(uri, track)
  }

  #count(code: number): void {
    this.figures.calls[code] = (this.figures.calls[code] ?? 0) + 1
  }
}

function unavailable(message: string, zh: string): AppError {
  return new AppError('Unimplemented', message, { zh })
}

function tooMany(): AppError {
  return new AppError('ResourceExhausted', `there are ${grpcStreamsMax} open streams, no more fit`, {
    zh: `已打开 ${grpcStreamsMax} 个流，无法再增加。`,
  })
}
