import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RecordingReport } from '../../shared/contract/agent-api.ts'
import type { RecordingDetail, RecordingItem } from '../../shared/contract/api.ts'
import type { Task } from '../../shared/contract/task.ts'
import { AppError } from '../../shared/error.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { makeParent } from './make-parent.ts'
import { secondsOption, wallMsOption, wholeOption } from './option.ts'
import { durationText, type Output, Progress, print, sizeText, table, timeText } from './output.ts'
import type { Server } from './server.ts'
import { failure, inLanguage } from './words.ts'

export type ListOptions = {
  stream?: string
  from?: string
  to?: string
  title?: string
  label?: string
  limit?: string
}

/** `edgereel ls`: recordings, newest first. */
export async function list(server: Server, output: Output, options: ListOptions) {
  const query = queryOf(options)
  const answer = await server.call<{ recordings: RecordingItem[]; cursor?: string }>(
    'GET',
    `/v1/recordings?${query}`,
  )
  const head = inLanguage({
    en: 'id from length state streams title',
    zh: '编号 开始 时长 状态 流 标题',
  }).split(' ')
  const row = (r: RecordingItem) => [
    r.id,
    timeText(r.from),
    r.to === null ? '' : durationText(r.to - r.from),
    r.state,
    r.streams.join(' '),
    r.title ?? '',
  ]
  print(output, answer, () => table(head, answer.recordings.map(row)))
}

function queryOf({ stream, from, to, title, label, limit }: ListOptions): URLSearchParams {
  const nowMs = systemClock.nowMs()
  const asked = {
    ...{ stream, title, label },
    from: from && wallMsOption('--from', from, nowMs),
    to: to && wallMsOption('--to', to, nowMs),
    limit: limit && wholeOption('--limit', limit, 1, listMax),
  }
  const given = Object.entries(asked).filter(([, value]) => value !== undefined)
  return new URLSearchParams(given.map(([key, value]) => [key, String(value)]))
}

export type GetOptions = { output?: string; stream?: string; format?: string }

const formats = ['mp4', 'h264', 'csv']
const onItsWayMs = 60_000 // A claim takes a second; what takes longer waits for the upload, and may wait for days.
const listMax = 100 // As the API's.
const readyWithinMs = 24 * 3600_000 // An export waits at most this long for late segments (DESIGN.md, Cloud).

/** `edgereel get`: downloads every part of a recording; waits, with a bar, while its files are being made. */
export async function get(server: Server, output: Output, id: string, options: GetOptions) {
  if (!formats.includes(options.format ?? 'mp4')) {
    throw failure('InvalidArgument', {
      en: `--format is one of ${formats.join(', ')}`,
      zh: `--format 只能是 ${formats.join('、')}`,
    })
  }
  const recording = await waitUntilReady(server, output, id)
  const wanted = recording.streams.filter((s) => options.stream === undefined || s.name === options.stream)
  if (wanted.length === 0) {
    throw failure('NotFound', {
      en: `recording ${id} has no stream ${options.stream}; it has ${recording.streams.map((s) => s.name).join(', ')}`,
      zh: `录像 ${id} 没有流 ${options.stream}`,
    })
  }
  const files = filesOf(recording, wanted, options.format ?? 'mp4')
  if (options.output !== undefined && files.length > 1) {
    throw failure('InvalidArgument', {
      en: `recording ${id} has ${files.length} files: name one with --stream, or leave out -o`,
      zh: `录像 ${id} 有 ${files.length} 个文件：请用 --stream 指定，或不用 -o`,
    })
  }
  const saved: { file: string; bytes: number }[] = []
  for (const { name, from } of files) {
    const path = resolve(options.output ?? name)
    saved.push({ file: path, bytes: await download(server, output, from, path) })
  }
  print(output, { id, files: saved }, () => saved.map((s) => `${s.file} ${sizeText(s.bytes)}`).join('\n'))
}

/** The name and the address of each file; times are one file a stream, whatever its parts. */
function filesOf({ id }: RecordingDetail, streams: RecordingDetail['streams'], format: string) {
  const base = `/v1/recordings/${encodeURIComponent(id)}`
  if (format === 'csv') {
    return streams.map(({ name }) => {
      const from = `${base}/timestamps.csv?${new URLSearchParams({ stream: name })}`
      return { name: `${id}-${name}.csv`, from }
    })
  }
  return streams.flatMap(({ name, export: { files } }) =>
    files.map(({ part }) => {
      const query = new URLSearchParams({ stream: name, part: String(part), format })
      const suffix = files.length > 1 ? `-${part}` : ''
      return { name: `${id}-${name}${suffix}.${format}`, from: `${base}/download?${query}` }
    }),
  )
}

async function waitUntilReady(server: Server, output: Output, id: string): Promise<RecordingDetail> {
  const progress = new Progress(output)
  const deadline = AbortSignal.timeout(readyWithinMs)
  for (;;) {
    const recording = await findRecording(server, id)
    if (recording === 'on-its-way') {
      progress.show(0, inLanguage({ en: 'on its way to the archive', zh: '正在送往存档' }))
      await sleep(500, undefined, { signal: deadline })
      continue
    }
    if (recording.state === 'ready') return finish(progress, recording)
    if (recording.state === 'failed') {
      throw failure('FailedPrecondition', {
        en: `the files of ${id} could not be made: see edgereel tasks, and try again with its retry`,
        zh: `无法生成录像 ${id} 的文件：请查看 edgereel tasks`,
      })
    }
    const segments = recording.streams.flatMap((s) => s.segments)
    const muxed = segments.filter((s) => s.state === 'muxed').length
    progress.show(
      segments.length === 0 ? 0 : (muxed / segments.length) * 90,
      inLanguage({
        en: `${muxed}/${segments.length} segments`,
        zh: `${muxed}/${segments.length} 个片段`,
      }),
    )
    await sleep(500, undefined, { signal: deadline })
  }
}

/** The archive learns of a recording when it has ended: until then only the recorder knows it. */
async function findRecording(server: Server, id: string): Promise<RecordingDetail | 'on-its-way'> {
  const name = encodeURIComponent(id)
  try {
    return await server.call<RecordingDetail>('GET', `/v1/recordings/${name}`)
  } catch (cause) {
    if (AppError.from(cause).kind !== 'NotFound') throw cause
    const report = await server
      .call<RecordingReport>('GET', `/agent/v1/recordings/${name}/report`)
      .catch(() => undefined)
    if (!report) throw cause
    if (report.to !== null && report.state === 'closed') {
      if (report.to > systemClock.nowMs() - onItsWayMs) return 'on-its-way'
      throw failure('NotFound', {
        en: `the archive does not have ${id}: it was deleted there, or waits to be uploaded (see edgereel status)`,
        zh: `存档中没有 ${id}：已被删除，或仍在等待上传（见 edgereel status）`,
      })
    }
    throw failure('FailedPrecondition', {
      en: `recording ${id} is still running: stop it first (edgereel record stop ${id})`,
      zh: `录像 ${id} 仍在进行：请先停止（edgereel record stop ${id}）`,
    })
  }
}

function finish(progress: Progress, recording: RecordingDetail): RecordingDetail {
  progress.done()
  return recording
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const

/** Into `<path>.part` first: a broken download never looks like a whole one, and leaves nothing, by Ctrl-C neither. */
export async function download(server: Server, output: Output, from: string, path: string): Promise<number> {
  const response = await server.fetch(from)
  const total = Number(response.headers.get('content-length') ?? 0)
  if (!response.body)
    throw failure('Unavailable', {
      en: 'the server sent no file; try again',
      zh: '服务器没有发送文件，请重试',
    })
  await makeParent(path)
  const progress = new Progress(output)
  let bytes = 0
  const count = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      bytes += chunk.length
      if (total > 0) progress.show((bytes / total) * 100, sizeText(bytes))
      done(null, chunk)
    },
  })
  const part = `${path}.part`
  const stopped = new AbortController()
  const stop = () => stopped.abort()
  for (const name of stopSignals) process.once(name, stop)
  try {
    const file = createWriteStream(part)
    await pipeline(Readable.fromWeb(response.body as never), count, file, { signal: stopped.signal })
    await rename(part, path)
  } catch (cause) {
    await rm(part, { force: true })
    throw failure(
      'Unavailable',
      {
        en: `the download of ${path} broke off after ${sizeText(bytes)}; try again`,
        zh: `下载 ${path} 中断，请重试`,
      },
      { cause },
    )
  } finally {
    for (const name of stopSignals) process.off(name, stop)
    progress.done()
  }
  return bytes
}

export async function share(server: Server, output: Output, id: string, options: { for?: string }) {
  const expiresInS = options.for === undefined ? undefined : secondsOption('--for', options.for)
  const body = expiresInS === undefined ? {} : { expiresInS }
  const answer = await server.call<{ id: string; url: string; expiresAt: number }>(
    'POST',
    `/v1/recordings/${encodeURIComponent(id)}/shares`,
    body,
  )
  const url = new URL(answer.url, server.base).href
  const until = inLanguage({ en: 'until', zh: '有效至' })
  print(output, { ...answer, url }, () => `${url}\n${until} ${timeText(answer.expiresAt)}`)
}

const watchEveryMs = 500

/** `edgereel tasks [ID] [--watch]`: the list, or one task followed until it ends. */
export async function tasks(
  server: Server,
  output: Output,
  id: string | undefined,
  options: { watch?: boolean },
) {
  if (id === undefined) return listTasks(server, output)
  const progress = new Progress(output)
  for (;;) {
    const task = await server.call<Task>('GET', `/v1/tasks/${encodeURIComponent(id)}`)
    const ended = task.status === 'SUCCESS' || task.status === 'FAILED'
    if (ended || !options.watch) {
      progress.done()
      print(output, task, () => table(taskHead(), [taskRow(task)]))
      if (task.status === 'FAILED') process.exitCode = 1
      return
    }
    progress.show(task.progress, inLanguage({ en: task.message, zh: task.messageZh ?? task.message }))
    await sleep(watchEveryMs)
  }
}

async function listTasks(server: Server, output: Output) {
  const answer = await server.call<{ tasks: Task[] }>('GET', '/v1/tasks')
  print(output, answer, () => table(taskHead(), answer.tasks.map(taskRow)))
}

const taskHead = () =>
  inLanguage({ en: 'id kind status % reason message', zh: '编号 类型 状态 % 原因 说明' }).split(' ')

function taskRow(task: Task): string[] {
  return [
    task.id,
    task.kind,
    task.status,
    String(Math.round(task.progress)),
    task.reason ?? '',
    task.detail ?? inLanguage({ en: task.message, zh: task.messageZh ?? task.message }),
  ]
}
