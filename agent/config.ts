import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { name } from '../shared/contract/segment.ts'
import { AppError } from '../shared/error.ts'
import { forwardsPerStreamMax, hookUrlsMax, mergeMsMax, viewerWorkersMax } from '../shared/limits.ts'
import { nearest } from '../shared/nearest.ts'
import { srsSchema, vehiclesSchema } from './config-vehicles.ts'
import { hookActions } from './control/hook-body.ts'
import { parseCameraUri } from './protocol/camera-uri.ts'
import { parseRtmpUrl } from './protocol/rtmp/address.ts'

const units: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
}

/** `50GB`, `512 MiB` or a number of bytes. */
const byteSize = z
  .union([z.number(), z.string()])
  .transform((value, context) => {
    const match = /^([0-9]+(?:\.[0-9]+)?) *([kmgt]?i?b)?$/i.exec(String(value))
    const factor = units[(match?.[2] ?? 'B').toUpperCase()]
    if (match && factor) return Math.round(Number(match[1]) * factor)
    context.addIssue({
      code: 'custom',
      message: 'a size is a number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB',
    })
    return z.NEVER
  })
  .pipe(z.number().int().min(0))

const port = z.number().int().min(0).max(65535)
const hours = z
  .string()
  .regex(/^([01][0-9]|2[0-4]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9]$/, 'hours are written 22:00-06:00')

const rtmpUrl = z.string().superRefine((text, context) => {
  try {
    parseRtmpUrl(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: AppError.from(error).message }) // Without the address: it is a secret.
  }
})

/** `fetch` takes no others; whoever is told knows us by the signature. */
function hasNoPassword(url: string): boolean {
  const { username, password } = URL.parse(url) ?? { username: '', password: '' }
  return username === '' && password === ''
}

const cameraUri = z.string().superRefine((text, context) => {
  try {
    parseCameraUri(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: AppError.from(error).message }) // Without the credentials.
  }
})

/** `127.0.0.1:8554`, `[::1]:8554`: one port of one machine. */
const addressWithPort = z.string().refine((text) => {
  const [, v6, v4, port] = /^(?:\[(.+)\]|([^:]+)):([0-9]{1,5})$/.exec(text) ?? []
  const isAddress = v6 === undefined ? z.ipv4().safeParse(v4).success : z.ipv6().safeParse(v6).success
  return isAddress && Number(port) >= 1 && Number(port) <= 65_535
}, 'an address, a network as 10.0.0.0/8, or one port of an address as 127.0.0.1:8554')

export const streamPolicy = z.strictObject({
  /** A camera's address; absent for streams that are sent to us. */
  source: cameraUri.optional(),
  ring: z.enum(['off', 'on-demand', 'always']).default('on-demand'),
  upload: z.enum(['recordings', 'always', 'never']).default('recordings'),
  /** Where the stream is pushed on to while it is there. */
  forward: z.array(rtmpUrl).max(forwardsPerStreamMax).default([]),
})
export type StreamPolicy = z.infer<typeof streamPolicy>

const nmsSample = 'nodemedia2017privatekey' // Of its documentation: everybody knows it.
const nmsSecret = z
  .string()
  .min(16)
  .refine((text) => text !== nmsSample, 'this is the secret of the documentation: take one of your own')
  .nullable()
  .default(null)

const configSchema = z.strictObject({
  http: z
    .strictObject({
      port: port.default(50001),
      lan: z.boolean().default(false),
      publicUrl: z.url().nullable().default(null),
      /** True: a private authority of this machine's own; or a certificate and its key, PEM files. */
      tls: z
        .union([z.boolean(), z.strictObject({ cert: z.string().min(1), key: z.string().min(1) })])
        .default(false),
    })
    .prefault({}),
  phones: z
    .strictObject({
      allowWithoutToken: z.union([z.boolean(), z.array(z.union([z.ipv4(), z.ipv6()]))]).default(false),
    })
    .prefault({}),
  rtmp: z
    .strictObject({
      /** Absent: 1935, if it is free. Null: none. */
      port: port.nullable().optional(),
    })
    .prefault({}),
  grpc: z
    .strictObject({
      /** Absent: 38080, if it is free. Null: only the unix socket. */
      port: port.nullable().optional(),
    })
    .prefault({}),
  live: z
    .strictObject({
      /** Milliseconds for which units are gathered before viewers are sent them: more viewers, for as much delay. */
      mergeMs: z.number().int().min(0).max(mergeMsMax).default(0),
      /** Processes that only send to viewers of HTTP-FLV and WS-FLV; 0: the agent does it itself. */
      workers: z.number().int().min(0).max(viewerWorkersMax).default(0),
    })
    .prefault({}),
  auth: z
    .strictObject({
      /** Secrets of links that were signed for Node-Media-Server, to watch and to send; none is accepted without. */
      nms: z.strictObject({ play: nmsSecret, publish: nmsSecret }).prefault({}),
    })
    .prefault({}),
  hooks: z
    .strictObject({
      urls: z
        .array(z.url({ protocol: /^https?$/ }).refine(hasNoPassword, 'an address without user and password'))
        .max(hookUrlsMax)
        .default([]),
      /** Signs what is sent. */
      secret: z.string().min(16).nullable().default(null),
      events: z.array(z.enum(hookActions)).default([...hookActions]),
    })
    .refine(({ urls, secret }) => urls.length === 0 || secret !== null, {
      path: ['secret'],
      message: 'whoever is told must be able to check who tells: give a secret of 16 characters or more',
    })
    .prefault({}),
  cameras: z
    .strictObject({
      /** Addresses to which no camera's address leads otherwise: this machine, link-local, metadata services. */
      allow: z.array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6(), addressWithPort])).default([]),
      /** The directory of which `file://` may play; none without it. */
      files: z.string().min(1).nullable().default(null),
    })
    .prefault({}),
  streams: z.record(name, streamPolicy).default({}),
  ring: z
    .strictObject({
      quota: byteSize.default(50e9),
      segmentSeconds: z.number().int().min(1).max(110).default(60),
      whenFull: z.enum(['overwrite', 'stop']).default('overwrite'),
    })
    .prefault({}),
  vehicles: vehiclesSchema.prefault({}),
  srs: srsSchema.optional(),
  cloud: z
    .strictObject({
      api: z.union([z.literal('local'), z.url({ protocol: /^https?$/ })]).default('local'),
      token: z.string().min(16).nullable().default(null),
      /** Bytes per second of uploads. */
      bandwidth: byteSize.nullable().default(null),
      hours: hours.nullable().default(null),
      /** Days for which this machine's archive keeps what nobody put on hold; null: until someone deletes it. */
      keepDays: z.number().int().min(1).max(36_500).nullable().default(null),
    })
    .prefault({}),
})
export type Config = z.infer<typeof configSchema>

/** Where `edgereel enroll` has brought this machine, and its token there. */
type Enrolled = { api: string; token: string }

/** Checks a configuration. Throws InvalidArgument with one sentence per rule that is broken. */
export function parseConfig(value: unknown, enrolled?: Enrolled): Config {
  const result = configSchema.safeParse(withEnrolled(value ?? {}, enrolled))
  if (result.success) return result.data
  const sentences = result.error.issues.map((issue) => sentence(issue))
  throw new AppError('InvalidArgument', `configuration: ${sentences.join('; ')}`)
}

/** What the file says goes first: its own address needs its own token, unless it is the one of the enrolment. */
function withEnrolled(value: unknown, enrolled: Enrolled | undefined): unknown {
  if (!enrolled || typeof value !== 'object' || value === null) return value
  const { cloud = {} } = value as { cloud?: unknown }
  if (typeof cloud !== 'object' || cloud === null) return value
  const { api = enrolled.api, token } = cloud as { api?: unknown; token?: unknown }
  if (api !== enrolled.api || (token !== undefined && token !== null)) return value
  return { ...value, cloud: { ...cloud, api, token: enrolled.token } }
}

type Issue = z.core.$ZodIssue

function sentence(issue: Issue): string {
  const at = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') return `${at || 'the file'}: ${issue.message}`
  const known = knownKeys(issue.path)
  return issue.keys
    .map((key) => {
      const near = nearest(key, known)
      const hint = near ? `, did you mean "${near}"?` : `, known are ${known.join(', ')}`
      return `unknown key "${[...issue.path, key].join('.')}"${hint}`
    })
    .join('; ')
}

function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: z.ZodType = configSchema
  for (const part of path) {
    schema = unwrap(schema)
    if (schema instanceof z.ZodObject) schema = schema.shape[String(part)] as z.ZodType
    else if (schema instanceof z.ZodRecord) schema = schema.valueType as z.ZodType
  }
  schema = unwrap(schema)
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return unwrap(schema.unwrap() as z.ZodType)
  return schema
}

/** Reads the YAML file, or gives the defaults when there is no file and none was asked for. */
export async function readConfig(path: string | undefined, enrolled?: Enrolled): Promise<Config> {
  if (path === undefined) return parseConfig({}, enrolled)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new AppError('NotFound', `configuration: cannot read ${path}; give --config a file that exists`, {
      cause,
    })
  }
  try {
    return parseConfig(parseYaml(text, { maxAliasCount: 20 }), enrolled)
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : 'not YAML'
    throw new AppError('InvalidArgument', `configuration: ${path} is not YAML: ${reason}`, { cause })
  }
}

/** `--data`, then EDGEREEL_DATA, then the platform's state directory. */
export function dataDirectory(option: string | undefined): string {
  const given = option ?? process.env.EDGEREEL_DATA
  if (given) return given
  if (process.platform === 'win32') return join(process.env.LOCALAPPDATA ?? homedir(), 'edgereel')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'edgereel')
  return join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'edgereel')
}
