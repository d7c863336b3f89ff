import type { CameraTrack } from './camera-track.ts'

export type VendorPaths = { live: string; still: string }

const number: Record<CameraTrack, number> = { main: 0, sub: 1, third: 2 }

/** Hikvision ISAPI and Dahua CGI (docs/protocols.md): RTSP path of a track, HTTP path of a still of the channel. */
export function vendorPaths(vendor: 'hik' | 'dahua', channel: number, track: CameraTrack): VendorPaths {
  if (vendor === 'dahua') {
    return {
      live: `/cam/realmonitor?channel=${channel}&subtype=${number[track]}`,
      still: `/cgi-bin/snapshot.cgi?channel=${channel}`,
    }
  }
  const id = channel * 100 + number[track] + 1
  return {
    live: `/Streaming/Channels/${id}`,
    still: `/ISAPI/Streaming/channels/${id}/picture?snapShotImageType=JPEG`,
  }
}
