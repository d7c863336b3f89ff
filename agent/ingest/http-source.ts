import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { CameraUri } from '../protocol/camera-uri.ts'
import type { CameraGuard } from './camera-guard.ts'
import { getFromCamera } from './camera-http.ts'
import { counter } from './flv-units.ts'
import { playBytes } from './play-bytes.ts'
import type { Remux } from './remux.ts'
import type { PulledSource } from './source.ts'

export type HttpSourceOptions = { uri: CameraUri; guard: CameraGuard; clock: Clock; remux: Remux }

/**
 * `http://` and `https://`: FLV and MPEG-TS as they come, anything else through FFmpeg. An answer that says how long
 * it is, is a file: played as if it were filmed now, and over at its end.
 */
export function createHttpSource({ uri, guard, clock, remux }: HttpSourceOptions): PulledSource {
  const nextEpoch = counter()
  return {
    kind: 'http',
    display: uri.display,
    connectOnce: async ({ signal, output }) => {
      const { user, password, httpUrl: url } = uri
      if (url === undefined) throw new AppError('InvalidArgument', `${uri.display} is no HTTP address`)
      const { response } = await getFromCamera({ url, user, password, guard, signal })
      const hasEnd = response.headers['content-length'] !== undefined
      try {
        await playBytes({ bytes: response, hasEnd, clock, output, remux, nextEpoch, signal })
      } catch (cause) {
        signal.throwIfAborted()
        throw cause instanceof AppError ? cause : cutOff(uri, cause)
      } finally {
        response.destroy()
      }
      if (!hasEnd) throw cutOff(uri)
    },
  }
}

function cutOff({ host, port }: CameraUri, cause?: unknown): AppError {
  return new AppError('Unavailable', `camera ${host}:${port}: the connection ended`, {
    cause,
    zh: `摄像机 ${host}:${port}：连接已断开。`,
  })
}
