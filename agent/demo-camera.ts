import type { Config } from './config.ts'
import { parseCameraUri } from './protocol/camera-uri.ts'

export const demoCameraName = 'demo-camera'

/** The camera that `up --demo` simulates: a stream like another, and of this machine only its two ports are reached. */
export function withDemoCamera(config: Config, address: string): Config {
  const { host, port, stillUrl = '' } = parseCameraUri(address)
  const own = [`${host}:${port}`, `${host}:${URL.parse(stillUrl)?.port || 80}`]
  const camera: Config['streams'][string] = {
    source: address,
    ring: 'on-demand',
    upload: 'recordings',
    forward: [],
  }
  return {
    ...config,
    cameras: { ...config.cameras, allow: [...config.cameras.allow, ...own] },
    streams: { [demoCameraName]: camera, ...config.streams },
  }
}
