import { z } from 'zod'
import * as api from '../../shared/contract/agent-api.ts'
import { recording } from '../../shared/contract/recording.ts'
import { isName } from '../../shared/contract/segment.ts'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import type { Commands, StartRecordingRequest } from './commands-port.ts'
import { type Route, route } from './route.ts'

const page = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(500).optional(),
})

/** Streams, recordings, phones, figures: the questions that `Commands` answers. */
export function commandRoutes(commands: Commands, clock: Clock): Route[] {
  return [...streamRoutes(commands), ...recordingRoutes(commands, clock), ...phoneRoutes(commands)]
}

function streamRoutes({ streams, stats }: Commands): Route[] {
  return [
    probe(streams, 'healthz', 'Nothing is wrong with this stream; 503 with what is', ({ live }) => live),
    probe(streams, 'readyz', 'Pictures of this stream come now; 503 with why not', ({ ready }) => ready),
    route({
      method: 'get',
      path: '/agent/v1/streams',
      summary: 'All streams',
      role: 'viewer',
      answer: z.object({ streams: z.array(api.streamInfo) }),
      handle: async () => ({ streams: await streams.list() }),
    }),
    route({
      method: 'get',
      path: '/agent/v1/streams/{name}',
      summary: 'One stream',
      role: 'viewer',
      answer: api.streamInfo,
      handle: ({ params }) => streams.get(named(params, 'name')),
    }),
    route({
      method: 'put',
      path: '/agent/v1/streams/{name}',
      summary: 'Sets the source of a stream, and what of it is kept and uploaded',
      role: 'operator',
      body: api.streamSettings,
      answer: api.streamInfo,
      handle: ({ params, body }) => streams.put(named(params, 'name'), body),
    }),
    route({
      method: 'delete',
      path: '/agent/v1/streams/{name}',
      summary: 'Forgets a stream; what was recorded stays',
      role: 'operator',
      status: 204,
      handle: ({ params }) => streams.remove(named(params, 'name')),
    }),
    route({
      method: 'get',
      path: '/agent/v1/stats',
      summary: 'Figures of the agent: streams, disk, upload',
      role: 'viewer',
      answer: api.stats,
      handle: () => stats(),
    }),
  ]
}

function probe(
  streams: Commands['streams'],
  path: 'healthz' | 'readyz',
  summary: string,
  isWell: (health: api.StreamHealth) => boolean,
): Route {
  return route({
    method: 'get',
    path: `/agent/v1/streams/{name}/${path}`,
    ...{ summary, role: 'viewer', answer: api.streamHealth },
    handle: async ({ params }) => {
      const health = await streams.health(named(params, 'name'))
      const headers = { 'cache-control': 'no-store' }
      return Response.json(health, { status: isWell(health) ? 200 : 503, headers })
    },
  })
}

function recordingRoutes({ recordings }: Commands, clock: Clock): Route[] {
  return [
    route({
      method: 'get',
      path: '/agent/v1/recordings',
      summary: 'Recordings of this agent, newest first',
      role: 'viewer',
      query: page,
      answer: z.object({ recordings: z.array(recording), cursor: z.string().optional() }),
      handle: ({ query: { limit, cursor } }) =>
        recordings.list({ limit, ...(cursor === undefined ? {} : { cursor }) }),
    }),
    route({
      method: 'post',
      path: '/agent/v1/recordings',
      summary: 'Starts a recording: now, at a time to come, or as far back as the ring reaches',
      role: 'operator',
      status: 201,
      body: api.startRecording,
      answer: api.recordingStarted,
      handle: ({ body }) => recordings.start(readTimes(body, clock.nowMs())),
    }),
    route({
      method: 'post',
      path: '/agent/v1/recordings/{id}/stop',
      summary: 'Stops a recording',
      role: 'operator',
      answer: recording,
      handle: ({ params }) => recordings.stop(named(params, 'id')),
    }),
    route({
      method: 'get',
      path: '/agent/v1/recordings/{id}/report',
      summary:
        'What came of a recording, by stream: pictures, gaps, first and last time, how well the clock is known',
      role: 'viewer',
      answer: api.recordingReport,
      handle: ({ params }) => recordings.report(named(params, 'id')),
    }),
  ]
}

function phoneRoutes({ phones }: Commands): Route[] {
  return [
    route({
      method: 'get',
      path: '/agent/v1/phones',
      summary: 'Phones, with those that wait to be allowed',
      role: 'viewer',
      answer: z.object({ phones: z.array(api.phoneInfo) }),
      handle: async () => ({ phones: await phones.list() }),
    }),
    route({
      method: 'post',
      path: '/agent/v1/phones/start',
      summary: 'Starts all phones, as one recording',
      role: 'operator',
      body: api.startPhones,
      answer: api.phonesAnswer,
      handle: ({ body }) => phones.start(body),
    }),
    route({
      method: 'post',
      path: '/agent/v1/phones/stop',
      summary: 'Stops all phones',
      role: 'operator',
      answer: api.phonesStopped,
      handle: () => phones.stop(),
    }),
    route({
      method: 'post',
      path: '/agent/v1/phones/{id}/allow',
      summary: 'Lets a phone in that waits, now and from now on',
      role: 'operator',
      answer: api.phoneInfo,
      handle: ({ params }) => phones.allow(pathText(params, 'id')),
    }),
  ]
}

function readTimes(body: z.output<typeof api.startRecording>, nowMs: number): StartRecordingRequest {
  const from = body.from === undefined ? undefined : api.parseTime(body.from, nowMs)
  const to = body.to === undefined ? undefined : api.parseTime(body.to, nowMs)
  if (to !== undefined && body.durationSeconds !== undefined)
    throw invalid('give `to` or `durationSeconds`, not both')
  if (to !== undefined && to <= (from ?? nowMs)) throw invalid('`to` must be after `from`')
  if (new Set(body.streams.map((name) => name.toLowerCase())).size < body.streams.length) {
    throw invalid('a stream is named twice')
  }
  const required = body.require === undefined || body.require === 'all' ? [] : body.require
  const isNamed = (name: string) => body.streams.some((stream) => stream.toLowerCase() === name.toLowerCase())
  if (!required.every(isNamed)) throw invalid('`require` names a stream that is not to be recorded')
  return {
    streams: body.streams,
    labels: body.labels ?? [],
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(body.durationSeconds === undefined ? {} : { durationMs: Math.round(body.durationSeconds * 1000) }),
    ...(body.title === undefined ? {} : { title: body.title }),
    ...(body.require === undefined ? {} : { require: body.require }),
  }
}

function named(params: Record<string, string>, key: string): string {
  const text = pathText(params, key)
  if (!isName(text)) throw new AppError('InvalidArgument', `\`${key}\` is not a name`, { zh: '名称无效。' })
  return text
}

function pathText(params: Record<string, string>, key: string): string {
  const text = params[key] ?? ''
  if (text.length === 0 || text.length > 200) throw invalid(`\`${key}\` is missing or too long`)
  return text
}

function invalid(message: string): AppError {
  return new AppError('InvalidArgument', message)
}
