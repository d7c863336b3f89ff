import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { apiHandler } from '../../../cloud/aws/lambda/api-handler.ts'
import { addToken } from '../../../cloud/rows/access.ts'
import type { UploadCreated } from '../../../shared/contract/beatsync-api.ts'
import type { Task } from '../../../shared/contract/task.ts'
import { alignCases } from '../beatsync-rig.ts'
import { movieSourceOf, realMovies } from '../movie-source.ts'
import { putRecording, putSegment, recordingOf, sealSegment, unitsOf } from '../segment-fixture.ts'
import { type AwsRig, closeAwsRigs, openAwsRig } from './aws-rig.ts'
import { bundlesOf } from './bundles.ts'
import { environmentVariables } from './environment-variables.ts'
import { serveFunction } from './lambda-http.ts'
import { pollOnce, type QueueFunction } from './lambda-queue.ts'

// A process of its own: the functions of a cloud assembly as they would be deployed, at work on the emulators. Makes a
// recording of a real film and its picture, then a dance and its music. Prints what came of them as JSON.

const bundles = await bundlesOf(process.argv[2] ?? '')
const handlerOf = async <T>(name: string) =>
  ((await import(bundles.get(name) ?? name)) as { handler: T }).handler

let threads = 0
process.on('worker', () => {
  threads += 1
})
const rig = await openAwsRig()
Object.assign(process.env, environmentVariables(rig.environment)) // Read when the functions are loaded.
const sha256 = sumOf(Buffer.from('t'))
await addToken(rig.cloud.catalogue, { sha256, name: 'ada', role: 'operator', createdAt: 1 })
const server = await serveFunction(await handlerOf<ReturnType<typeof apiHandler>>('api'))
const said = { ...(await record(rig)), ...(await dance()), threads }
process.stdout.write(JSON.stringify(said))
await server[Symbol.asyncDispose]()
await rig[Symbol.asyncDispose]()
await closeAwsRigs()
process.exit()

async function record({ cloud }: AwsRig) {
  const { video } = movieSourceOf(realMovies[0]?.[1] ?? '')
  const units = unitsOf('video', video.samples, 5_000_000)
  const id = { agent: 'lab', stream: 'cam', epoch: 1_772_366_400_000, seq: 0 }
  const sealed = sealSegment({ ...id, video: video.config, units })
  await putSegment(cloud.store, sealed)
  await putRecording(cloud.store, recordingOf('take', [sealed]))
  for (const name of ['mux', 'thumbnail', 'export', 'thumbnail'] as const)
    while (await pollOnce(cloud.queue, name, await handlerOf<QueueFunction>(name)));
  const [state, thumbnail, movie] = await Promise.all([
    ask('GET', '/v1/recordings/take').then(async (response) => (await response.json()) as { state: string }),
    follow('/v1/recordings/take/thumbnail'),
    follow('/v1/recordings/take/download'),
  ])
  const type = thumbnail.subarray(0, 3).toString('hex')
  return { state: state.state, thumbnail: type, isMovie: movie.subarray(4, 8).toString() === 'ftyp' }
}

async function dance() {
  const { dance = '', bgm = '', truth } = alignCases().find(({ name }) => name.startsWith('a1')) ?? {}
  const [film, music] = [await upload(dance), await upload(bgm)]
  const asked = await ask('POST', '/v1/tasks', { kind: 'beatsync', dance: film, bgm: music })
  const { id } = (await asked.json()) as Task
  await pollOnce(rig.cloud.queue, 'beatsync', await handlerOf<QueueFunction>('beatsync'))
  const task = (await (await ask('GET', `/v1/tasks/${id}`)).json()) as Task
  return { task, offsetMs: truth?.offset_ms }
}

async function upload(path: string): Promise<string> {
  const bytes = await readFile(path)
  const file = { name: basename(path), sizeBytes: bytes.length, sha256: sumOf(bytes) }
  const asked = await ask('POST', '/v1/uploads', { ...file, contentType: 'application/octet-stream' })
  const { id, url, headers = {} } = (await asked.json()) as UploadCreated
  const { status } = await fetch(url, { method: 'PUT', headers, body: bytes })
  if (status !== 200) throw new Error(`an upload was answered ${status}`)
  return id
}

function ask(method: string, path: string, body?: object): Promise<Response> {
  const headers = { authorization: 'Bearer t', 'content-type': 'application/json' }
  const json = body ? { body: JSON.stringify(body) } : {}
  return fetch(new URL(path, server.url), { method, headers, ...json })
}

/** The API's redirect to the store, as a browser goes it: without the token. */
async function follow(path: string): Promise<Buffer> {
  return Buffer.from(await (await ask('GET', path)).arrayBuffer())
}

function sumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
