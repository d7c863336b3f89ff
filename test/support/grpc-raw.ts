import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import { loadMediaProto } from '../../agent/control/grpc/media-proto.ts'
import type { ReceivedUnit } from './grpc-client.ts'

/**
 * gRPC by hand over node:http2: a client that can stop reading (grpc-js reads ahead without bound), send what no
 * library would, and be cut off.
 */
export class RawClient implements Disposable {
  readonly session: ClientHttp2Session
  readonly #token: string

  constructor(port: number, token: string) {
    this.session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 100 })
    this.session.on('error', () => undefined)
    this.#token = token
  }

  /** Sends the head of a call; its body is the caller's. */
  begin(method: string, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': `/edgereel.v1.MediaService/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${this.#token}`,
      ...headers,
    })
    stream.on('error', () => undefined)
    return stream
  }

  /** `OpenStream`; nothing is read until somebody listens. */
  open(name: string): ClientHttp2Stream {
    const stream = this.begin('OpenStream')
    stream.end(frame(Buffer.concat([Buffer.of(0x0a, name.length), Buffer.from(name)])))
    return stream
  }

  [Symbol.dispose](): void {
    this.session.destroy()
  }
}

/** One message: whether it is compressed, its length, its bytes. */
export function frame(message: Uint8Array, { compressed = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5)
  head[0] = compressed
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, message])
}

/** The status of a call, from its trailers or its only headers; undefined when it was reset. */
export function statusOfRaw(stream: ClientHttp2Stream): Promise<number | undefined> {
  return new Promise((resolve) => {
    const look = (headers: { 'grpc-status'?: unknown }) => {
      if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']))
    }
    stream.on('response', look).on('trailers', look).resume()
    if (stream.closed) resolve(undefined)
    stream.on('close', () => resolve(undefined))
  })
}

/** Reads on from here. */
export async function readUnits(stream: ClientHttp2Stream, into: ReceivedUnit[]): Promise<void> {
  const { service } = await loadMediaProto()
  const { responseDeserialize } = (service as ServiceDefinition).OpenStream as MethodDefinition<
    unknown,
    ReceivedUnit
  >
  let rest = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1)
      into.push(responseDeserialize(rest.subarray(5, end)))
      rest = rest.subarray(end)
    }
  })
}
