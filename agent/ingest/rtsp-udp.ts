import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { AppError } from '../../shared/error.ts'
import { mappedIpv4 } from './mapped-ipv4.ts'

/** Two ports of ours, even and odd (RFC 3550, section 11): one track over UDP. */
export type UdpPair = Disposable & {
  readonly rtp: number
  readonly rtcp: number
  /** To the camera's ports; nothing is lost for us when it is not delivered. */
  send(kind: 'rtp' | 'rtcp', port: number, packet: Uint8Array): void
}

export type UdpPairOptions = {
  /** The camera's: what comes from elsewhere is not looked at. */
  address: string
  family: 4 | 6
  onPacket: (kind: 'rtp' | 'rtcp', packet: Uint8Array) => void
}

const tries = 32 // The system gives odd ports half of the time, and the next may be taken.
const receiveBytes = 1024 * 1024 // A key frame of 4K comes in one burst; the usual 208 KiB would drop its end.

export async function openUdpPair(options: UdpPairOptions): Promise<UdpPair> {
  for (let n = 0; n < tries; n += 1) {
    const rtp = await bind(options.family, 0)
    if (!rtp) break
    const { port } = rtp.address()
    const rtcp = port % 2 === 0 ? await bind(options.family, port + 1) : undefined
    if (rtcp) return pairOf(rtp, rtcp, options)
    rtp.close()
  }
  throw new AppError('ResourceExhausted', 'there are no two UDP ports free for a camera', {
    zh: '没有可用于摄像机的两个 UDP 端口。',
  })
}

async function bind(family: 4 | 6, port: number): Promise<Socket | undefined> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  try {
    socket.bind(port)
    await once(socket, 'listening')
    return socket
  } catch {
    socket.close()
    return undefined
  }
}

function pairOf(rtp: Socket, rtcp: Socket, { address, onPacket }: UdpPairOptions): UdpPair {
  const sockets = { rtp, rtcp }
  for (const kind of ['rtp', 'rtcp'] as const) {
    sockets[kind].on('message', (packet: Buffer, from: RemoteInfo) => {
      if (mappedIpv4(from.address) === address) onPacket(kind, packet)
    })
    sockets[kind].on('error', () => undefined) // A packet that was not delivered.
  }
  try {
    rtp.setRecvBufferSize(receiveBytes)
  } catch {
    // The system's own size then.
  }
  return {
    rtp: rtp.address().port,
    rtcp: rtcp.address().port,
    send: (kind, port, packet) => sockets[kind].send(packet, port, address, () => undefined),
    [Symbol.dispose]: () => {
      rtp.close()
      rtcp.close()
    },
  }
}
