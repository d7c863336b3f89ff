import { AppError } from '../../shared/error.ts'
import { rtspRedirectsMax } from '../../shared/limits.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { type CameraUri, parseCameraUri } from '../protocol/camera-uri.ts'
import type { CameraGuard } from './camera-guard.ts'
import { counter } from './flv-units.ts'
import { runRtspConnection } from './rtsp-connection.ts'
import type { PulledSource } from './source.ts'

export type RtspSourceOptions = {
  /** With an `rtspUrl`. */
  uri: CameraUri
  /** Packets by UDP instead of over the connection. */
  udp?: boolean
  guard: Pick<CameraGuard, 'resolve'>
  clock: Clock
}

/** A camera that speaks RTSP. */
export function rtspSource({ uri, udp = false, guard, clock }: RtspSourceOptions): PulledSource {
  const nextEpoch = counter()
  return {
    kind: 'rtsp',
    display: uri.display,
    connectOnce: async ({ signal, output }) => {
      let { rtspUrl: url = '', port } = uri
      for (let redirects = 0; ; redirects += 1) {
        const address = await guard.resolve(uri.host, port, signal)
        const secure = url.startsWith('rtsps:')
        const connection = { uri, url, address, secure, udp, clock, nextEpoch, output, signal }
        const { redirect } = await runRtspConnection(connection)
        if (redirects === rtspRedirectsMax) throw redirected('it redirects again and again', '重定向次数过多')
        const next = redirectTarget(redirect, uri, secure)
        url = next.url
        port = next.port
      }
    },
  }
}

/** Credentials go to the host that was meant, and to no other, nor in clear where they were not. */
function redirectTarget(text: string, { host }: CameraUri, secure: boolean): { url: string; port: number } {
  let next: CameraUri
  try {
    next = parseCameraUri(text)
  } catch {
    throw redirected('it redirects to what is no address', '重定向地址无效')
  }
  const { rtspUrl: url, port } = next
  if (url === undefined || next.host !== host)
    throw redirected('it redirects to another host', '重定向到其他主机')
  if (secure && !url.startsWith('rtsps:'))
    throw redirected('it redirects from rtsps to rtsp', '从 rtsps 重定向到 rtsp')
  return { url, port }
}

function redirected(en: string, zh: string): AppError {
  return new AppError('FailedPrecondition', `the camera cannot be used at this address: ${en}`, {
    zh: `无法使用该摄像机地址：${zh}。`,
  })
}
