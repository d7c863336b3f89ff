import { AppError } from '../../shared/error.ts'
import { snapshotBytesMax, snapshotTimeoutMs } from '../../shared/limits.ts'
import type { CameraUri } from '../protocol/camera-uri.ts'
import type { CameraGuard } from './camera-guard.ts'
import { getFromCamera } from './camera-http.ts'

/** How to get a still that the camera makes itself (ISAPI, CGI); nothing for others. Errors as `getFromCamera`. */
export function vendorStill(
  { stillUrl: url, user, password, host }: CameraUri,
  guard: CameraGuard,
): { still?: () => Promise<Uint8Array> } {
  if (url === undefined) return {}
  const still = async () => {
    const signal = AbortSignal.timeout(snapshotTimeoutMs)
    const { response } = await getFromCamera({ url, user, password, guard, signal })
    const pieces: Uint8Array[] = []
    let bytes = 0
    for await (const piece of response as AsyncIterable<Buffer>) {
      pieces.push(piece)
      bytes += piece.length
      if (bytes > snapshotBytesMax)
        throw new AppError('ResourceExhausted', `camera ${host}: its still is too large`)
    }
    return Buffer.concat(pieces)
  }
  return { still }
}
