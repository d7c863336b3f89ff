import { constants, type ServerHttp2Stream } from 'node:http2'
import type { ServerWritableStream } from '@grpc/grpc-js'

type Layer = { stream?: ServerHttp2Stream; nextCall?: Layer }
type Call = ServerWritableStream<unknown, unknown>

/**
 * The HTTP/2 stream of a call, through the layers of grpc-js, which has no word for what is done with it here (tested,
 * and its version is pinned).
 */
export function http2StreamOf(call: Call): ServerHttp2Stream | undefined {
  let layer = (call as unknown as { call?: Layer }).call
  while (layer?.nextCall) layer = layer.nextCall
  return layer?.stream
}

/**
 * Ends a call whose client takes nothing. A status would wait behind the bytes that it does not take. Other calls on the
 * connection go on. Clients see RESOURCE_EXHAUSTED, which is what this code means in gRPC.
 */
export function resetCall(call: Call): void {
  http2StreamOf(call)?.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
}
