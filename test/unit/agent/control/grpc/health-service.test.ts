import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import type { StreamHealth } from '../../../../../shared/contract/agent-api.ts'
import { AppError } from '../../../../../shared/error.ts'
import { openGrpcRig } from '../../../../support/grpc-rig.ts'
import { until } from '../../../../support/rtsp-rig.ts'

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'no error',
    (error) => error.code,
  )

/** One stream, `cam`, that is ready or not, until it is forgotten. */
function oneCamera() {
  let ready: boolean | undefined = false
  const health = async (name: string): Promise<StreamHealth> => {
    if (name !== 'cam' || ready === undefined) throw new AppError('NotFound', 'no such stream')
    return { name, live: true, ready, state: ready ? 'live' : 'offline' }
  }
  const nothing = () => Promise.reject(new AppError('NotFound', 'not here'))
  const list = async () => [{ name: 'cam' }] as never
  return {
    set: (next: boolean | undefined) => {
      ready = next
    },
    streams: { health, list, get: nothing, put: nothing, remove: nothing },
  }
}

test('a stream serves while its pictures come; watched, every change is told', async () => {
  const camera = oneCamera()
  await using rig = await openGrpcRig({ commands: { streams: camera.streams } })
  const viewer = await rig.client('viewer')
  expect(await viewer.call('Check', { service: 'stream/cam' })).toEqual({ status: 'NOT_SERVING' })
  const told: string[] = []
  const watching = viewer.watch('stream/cam', (one) => told.push(one))
  await until(() => told.length === 1, 'it is told at once')
  camera.set(true)
  await until(() => told.length === 2, 'it serves')
  expect(await viewer.call('Check', { service: 'stream/cam' })).toEqual({ status: 'SERVING' })
  camera.set(undefined)
  await until(() => told.length === 3, 'it is forgotten')
  expect(await codeOf(viewer.call('Check', { service: 'stream/cam' }))).toBe(status.NOT_FOUND)
  expect(told).toEqual(['NOT_SERVING', 'SERVING', 'SERVICE_UNKNOWN'])
  watching.cancel()
})

test('the agent’s own health is anybody’s, that of a stream is for those who may watch it', async () => {
  const camera = oneCamera()
  await using rig = await openGrpcRig({ commands: { streams: camera.streams } })
  const stranger = await rig.stranger(undefined)
  const other = await rig.client('viewer', 'another')
  expect(await stranger.call('Check')).toEqual({ status: 'SERVING' })
  expect(await codeOf(stranger.call('Check', { service: 'stream/cam' }))).toBe(status.UNAUTHENTICATED)
  expect(await codeOf(other.call('Check', { service: 'stream/cam' }))).toBe(status.PERMISSION_DENIED)
  const services = async (client: typeof stranger) => Object.keys((await client.call('List')).statuses)
  expect(await services(stranger)).not.toContain('stream/cam')
  expect(await services(await rig.client('viewer'))).toContain('stream/cam')
  expect(await codeOf(stranger.call('Check', { service: 'nonsense' }))).toBe(status.NOT_FOUND)
})

test('an agent that stops serves nothing any more, and says so to who watches', async () => {
  const camera = oneCamera()
  camera.set(true)
  const rig = await openGrpcRig({ commands: { streams: camera.streams } })
  const told: string[] = []
  const watching = (await rig.client('viewer')).watch('stream/cam', (one) => told.push(one))
  const ended = new Promise((resolve) => watching.once('end', resolve))
  await until(() => told.length === 1, 'it serves')
  await rig.grpc[Symbol.asyncDispose]()
  await ended
  expect(told).toEqual(['SERVING', 'NOT_SERVING'])
  await rig[Symbol.asyncDispose]().catch(() => undefined) // Its doors are closed already.
})
