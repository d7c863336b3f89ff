import { fileURLToPath } from 'node:url'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import { load } from '@grpc/proto-loader'
import type { UnitNote } from './messages.ts'

export const mediaServiceName = 'edgereel.v1.MediaService'

/** An `AccessUnit` in pieces: encoded messages of one type, one behind the other, are one message. */
export type EncodedUnit = readonly Uint8Array[]

export type MediaProto = {
  /** `OpenStream` answers with `EncodedUnit`: a unit is encoded once, whoever gets it. */
  readonly service: ServiceDefinition
  encode(message: UnitNote): Uint8Array
}

function responseSerialize(unit: EncodedUnit): Buffer {
  const [only] = unit
  return unit.length === 1 && only ? asBuffer(only) : Buffer.concat(unit)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Reads edgereel.proto. */
export async function loadMediaProto(): Promise<MediaProto> {
  const path = fileURLToPath(new URL('edgereel.proto', import.meta.url))
  const loaded = await load(path, { longs: Number, enums: String, defaults: true, oneofs: true })
  const service = loaded[mediaServiceName] as ServiceDefinition
  const open = service.OpenStream as MethodDefinition<unknown, unknown>
  return {
    service: {
      ...service,
      OpenStream: { ...open, responseSerialize },
    },
    encode: (message) => open.responseSerialize(message),
  }
}
