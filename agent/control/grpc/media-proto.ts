import { fileURLToPath } from 'node:url'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import { load } from '@grpc/proto-loader'
import type { UnitNote } from './messages.ts'

export const mediaServiceName = 'edgereel.v1.MediaService'

export type MediaProto = {
  readonly service: ServiceDefinition
  encode(message: UnitNote): Uint8Array
}

/** Reads edgereel.proto. */
export async function loadMediaProto(): Promise<MediaProto> {
  const path = fileURLToPath(new URL('edgereel.proto', import.meta.url))
  const loaded = await load(path, { longs: Number, enums: String, defaults: true, oneofs: true })
  const service = loaded[mediaServiceName] as ServiceDefinition
  const open = service.OpenStream as MethodDefinition<unknown, unknown>
  return { service, encode: (message) => open.responseSerialize(message) }
}
