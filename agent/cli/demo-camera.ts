import { simRtsp } from '../sim/rtsp.ts'

const login = { user: 'demo', password: 'demo' } // No secret: it opens what is shown anyway.

/** An IP camera on this machine, with Digest and stills, for as long as the demonstration goes on. */
export async function demoCamera(): Promise<AsyncDisposable & { address: string }> {
  const camera = await simRtsp({ port: 0, stillsPort: 0, login })
  const address = camera.vendorUrl('hik').replace('/main', `/${login.user}:${login.password}@main`)
  return { address, [Symbol.asyncDispose]: () => camera[Symbol.asyncDispose]() }
}
