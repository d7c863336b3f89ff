import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { CameraTrack } from '../protocol/camera-track.ts'
import { type CameraUri, parseCameraUri } from '../protocol/camera-uri.ts'
import type { CameraGuard } from './camera-guard.ts'
import { rtspSource } from './rtsp.ts'
import type { PulledSource } from './source.ts'
import { vendorStill } from './vendor-still.ts'

/** Makes the source of one kind of address; undefined when it is none of its own. */
export type SourceMaker = (uri: CameraUri) => PulledSource | undefined

/**
 * The source that an address names (`docs/protocols.md`, camera addresses). `#udp` behind an RTSP address: packets by
 * UDP. InvalidArgument, without the credentials, for what is none.
 */
export function sourceOpener(
  parts: { guard: Pick<CameraGuard, 'resolve'>; clock: Clock },
  others: readonly SourceMaker[] = [],
): (text: string, track?: CameraTrack) => PulledSource {
  return (text, track) => {
    const uri = parseCameraUri(text, track)
    if (uri.rtspUrl !== undefined) {
      const udp = /#udp$/i.test(text.trim())
      return { ...rtspSource({ ...parts, uri, udp }), ...vendorStill(uri, parts.guard) }
    }
    for (const make of others) {
      const source = make(uri)
      if (source) return source
    }
    throw new AppError('InvalidArgument', `cameras by ${uri.kind}:// are not taken by this agent`, {
      zh: `本代理不支持 ${uri.kind}:// 摄像机。`,
    })
  }
}
