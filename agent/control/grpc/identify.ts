import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js'
import { type Auth, type Principal, requireRole } from '../auth.ts'
import { mediaServiceName } from './media-proto.ts'
import { statusOf } from './status.ts'

/** Who calls, by the metadata of the call. */
export type Identify = (metadata: Metadata) => Principal

const owner: Principal = { role: 'operator', subject: 'socket', via: 'socket' }

/** A token in metadata decides wherever it is given; without one only the socket's file mode can let somebody in. */
export function identifyBy(auth: Pick<Auth, 'authorize'>, door: 'tcp' | 'socket'): Identify {
  return (metadata) => {
    const [authorization] = metadata.get('authorization')
    if (authorization === undefined && door === 'socket') return owner
    return auth.authorize({ authorization: authorization?.toString(), loopback: false })
  }
}

/**
 * Refuses strangers by their metadata, before a byte of a message is read: messages may have 10 MB. What a token
 * allows is checked again where it is known what is asked. The health service is open, as `/healthz` is.
 */
export function refuseStrangers(identify: Identify, onRefused: (error: unknown) => void): ServerInterceptor {
  return ({ path }, call) => {
    if (!path.startsWith(`/${mediaServiceName}/`)) return new ServerInterceptingCall(call)
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        try {
          const principal = identify(metadata)
          const isKnown = principal.role !== 'anonymous' && principal.role !== 'unknown'
          if (!isKnown) requireRole(principal, 'viewer')
          next(metadata)
        } catch (error) {
          onRefused(error)
          call.sendStatus(statusOf(error))
        }
      })
      .build()
    return new ServerInterceptingCall(
      call,
      new ResponderBuilder().withStart((next) => next(listener)).build(),
    )
  }
}
