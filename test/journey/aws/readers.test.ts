import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { queueHandler } from '../../../cloud/aws/lambda/queue-handler.ts'
import { type AwsRig, closeAwsRigs, openAwsRig } from '../../support/emulators/aws-rig.ts'
import { awsMissing } from '../../support/emulators/aws-world.ts'
import { pollOnce } from '../../support/emulators/lambda-queue.ts'
import { readAll } from '../../support/jobs-rig.ts'
import {
  putRecording,
  putSegment,
  recordingOf,
  sealSegment,
  sumOf,
  unitOf,
} from '../../support/segment-fixture.ts'
import { hasProgram } from '../../support/shared-data.ts'
import { syntheticPicture, syntheticVideo } from '../../support/synthetic.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

// What people and their programs read recordings with, through the strict S3: presigned addresses by curl, rclone
// and FFmpeg; the bucket by aws-cli, boto3 and rclone with a key of their own.

const run = promisify(execFile)
const missing = awsMissing()
if (missing) console.log(`skipped: ${missing}`)

/** The first Python that has boto3: Debian's package is the system's own. */
async function pythonWithBoto3(): Promise<string | undefined> {
  for (const python of ['/usr/bin/python3', 'python3'])
    if (
      await run(python, ['-c', 'import boto3']).then(
        () => true,
        () => false,
      )
    )
      return python
  return undefined
}
const python = await pythonWithBoto3()
const lacking = ['aws', 'rclone', 'curl', 'ffprobe'].filter((program) => !hasProgram(program))
if (!python) lacking.push('boto3')
if (lacking.length > 0) console.log(`skipped in part, not on this machine: ${lacking.join(', ')}`)
const has = (program: string) => !lacking.includes(program)

const key = 'exports/take/v1/cam-1.mp4'
let rig: AwsRig
let movie: Buffer

beforeAll(async () => {
  if (missing) return
  rig = await openAwsRig()
  const units = Array.from({ length: 50 }, (_, i) => unitOf(syntheticPicture(i)))
  const segment = sealSegment({
    agent: 'lab',
    stream: 'cam',
    epoch: 1_700_000_000_000,
    seq: 0,
    units,
    video: syntheticVideo,
  })
  await putSegment(rig.cloud.store, segment)
  await putRecording(rig.cloud.store, recordingOf('take', [segment]))
  for (let n = 0; n < 10; n += 1)
    for (const name of ['mux', 'export'] as const)
      await pollOnce(rig.cloud.queue, name, queueHandler(name, rig.cloud))
  movie = await readAll(rig.cloud.store, key)
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await closeAwsRigs()
})

const link = () =>
  rig.cloud.store.presignGet({ key, expiresS: 300, filename: 'take.mp4', contentType: 'video/mp4' })
const bytesOf = async (program: string, args: string[], env = {}) =>
  (await run(program, args, { encoding: 'buffer', maxBuffer: 1 << 26, env: { ...process.env, ...env } }))
    .stdout

describe.skipIf(missing)('a recording in S3', () => {
  test.skipIf(!has('curl'))(
    'curl: whole, in ranges, from the end, and on from where it broke off',
    async () => {
      const url = await link()
      expect((await bytesOf('curl', ['-sf', url])).equals(movie)).toBe(true)
      expect(await bytesOf('curl', ['-sf', '-r', '100-199', url])).toEqual(movie.subarray(100, 200))
      expect(await bytesOf('curl', ['-sf', '-r', '-7', url])).toEqual(movie.subarray(-7))
      await using directory = await temporaryDirectory()
      const file = join(directory.path, 'take.mp4')
      await writeFile(file, movie.subarray(0, 1000))
      await run('curl', ['-sf', '-C', '-', '-o', file, url])
      expect((await bytesOf('cat', [file])).equals(movie)).toBe(true)
      const changed = url.replace('take', 'fake')
      await expect(run('curl', ['-sf', changed])).rejects.toMatchObject({ code: 22 })
    },
  )

  test.skipIf(!has('curl'))('curl: a presigned PUT, with the headers that came with it', async () => {
    const body = Buffer.from('{}')
    const request = {
      key: 'raw/lab/cam/1700000000000-000007.json',
      ...sumOf(body),
      contentType: 'application/json',
      expiresS: 900,
    }
    const { url, headers } = await rig.cloud.store.presignPut(request)
    const args = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
    const put = () =>
      bytesOf('curl', [
        '-s',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        '-X',
        'PUT',
        ...args,
        '--data-binary',
        '{}',
        url,
      ])
    expect((await put()).toString()).toBe('200')
    expect((await put()).toString()).toBe('412')
  })

  test.skipIf(!has('ffprobe'))('ffprobe: every picture, by the address alone', async () => {
    const args = [
      '-v',
      'error',
      '-count_packets',
      '-show_entries',
      'stream=nb_read_packets,codec_name',
      '-of',
      'csv=p=0',
    ]
    expect((await bytesOf('ffprobe', [...args, await link()])).toString().trim()).toBe('h264,50')
  })

  test.skipIf(!has('aws'))('aws-cli: copies it, reads a range', async () => {
    await using directory = await temporaryDirectory()
    const { bucket } = rig.environment
    const file = join(directory.path, 'take.mp4')
    const endpoint = ['--endpoint-url', process.env.AWS_ENDPOINT_URL_S3 ?? '']
    await run('aws', [...endpoint, 's3', 'cp', '--only-show-errors', `s3://${bucket}/${key}`, file])
    expect((await bytesOf('cat', [file])).equals(movie)).toBe(true)
    await run('aws', [
      ...endpoint,
      's3api',
      'get-object',
      '--bucket',
      bucket,
      '--key',
      key,
      '--range',
      'bytes=100-199',
      file,
    ])
    expect(await bytesOf('cat', [file])).toEqual(movie.subarray(100, 200))
  })

  test.skipIf(!python)('boto3: whole, a range, an address that it signed itself', async () => {
    const script = join(import.meta.dirname, '../../support/boto3_reader.py')
    const said = await bytesOf(python ?? '', [script, rig.environment.bucket, key])
    expect(JSON.parse(said.toString())).toEqual({
      whole: movie.length,
      part: true,
      signed: true,
      listed: movie.length,
    })
  })

  test.skipIf(!has('rclone'))('rclone: by the address, and from the bucket', async () => {
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'take.mp4')
    await run('rclone', ['copyurl', await link(), file])
    expect((await bytesOf('cat', [file])).equals(movie)).toBe(true)
    const remote = {
      AWS_CA_BUNDLE: undefined, // rclone 1.60 ends when a machine has one.
      RCLONE_CONFIG_LAB_TYPE: 's3',
      RCLONE_CONFIG_LAB_PROVIDER: 'Other',
      RCLONE_CONFIG_LAB_ENV_AUTH: 'true',
      RCLONE_CONFIG_LAB_REGION: process.env.AWS_REGION ?? '',
      RCLONE_CONFIG_LAB_ENDPOINT: process.env.AWS_ENDPOINT_URL_S3 ?? '',
    }
    const place = `lab:${rig.environment.bucket}/${key}`
    const part = await bytesOf('rclone', ['cat', '--offset', '100', '--count', '100', place], remote)
    expect(part).toEqual(movie.subarray(100, 200))
  })
})
