import { constants, type ServerHttp2Stream } from 'node:http2'
import type { ServerWritableStream } from '@grpc/grpc-js'

type Layer = { stream?: ServerHttp2Stream; nextCall?: Layer }

/**
 * Ends a call whose client takes nothing. A status would wait behind the bytes that it does not take, and grpc-js has
 * no word for a reset: this goes through its layers to the HTTP/2 stream (tested, and its version is pinned). Other
 * calls on the connection go on. Clients see RESOURCE_EXHAUSTED, which is what this code means in gRPC.
 */
export function resetCall(call: ServerWritableStream<unknown, unknown>): void {
  let layer = (call as unknown as { call?: Layer }).call
  while (layer?.nextCall) layer = layer.nextCall
  layer?.stream?.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
}
