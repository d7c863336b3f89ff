import type {
  AgentStats,
  PhonesAnswer,
  PhonesStopped,
  RecordingReport,
  RecordingStarted,
  StreamInfo,
  StreamReport,
} from '../../shared/contract/agent-api.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { parseStartArguments } from '../protocol/phone-start.ts'
import { type Output, print, printable, sizeText, table, timeText } from './output.ts'
import type { Server } from './server.ts'
import { failure, inLanguage } from './words.ts'

/** `edgereel record start NAME… --from T --for S` and `record stop ID`. */
export async function recordStart(
  server: Server,
  output: Output,
  streams: string[],
  options: { from?: string; for?: string; title?: string; require?: string },
) {
  const durationSeconds = options.for === undefined ? undefined : seconds(options.for)
  const answer = await server.call<RecordingStarted>('POST', '/agent/v1/recordings', {
    streams,
    ...(options.from === undefined
      ? {}
      : { from: /^\d+$/.test(options.from) ? Number(options.from) : options.from }),
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    ...(options.title === undefined ? {} : { title: options.title }),
    ...(options.require === undefined
      ? {}
      : { require: options.require === 'all' ? 'all' : options.require.split(',') }),
  })
  print(output, answer, () => {
    const rows = answer.streams.map((s) => [s.name, s.state])
    return `${answer.id}\n${table(inLanguage({ en: 'stream state', zh: '流 状态' }).split(' '), rows)}`
  })
}

function seconds(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw failure('InvalidArgument', {
    en: `--for ${printable(text)}: give a number of seconds above 0`,
    zh: `--for ${printable(text)}：请给出大于 0 的秒数`,
  })
}

export async function recordStop(server: Server, output: Output, id: string) {
  const answer = await server.call<Recording>('POST', `/agent/v1/recordings/${encodeURIComponent(id)}/stop`)
  print(output, answer, () => `${answer.id} ${answer.state}`)
}

/** `edgereel record report ID`: what came of it. */
export async function recordReport(server: Server, output: Output, id: string) {
  const path = `/agent/v1/recordings/${encodeURIComponent(id)}/report`
  const answer = await server.call<RecordingReport>('GET', path)
  const head = inLanguage({
    en: 'stream pictures sound gaps missing first last clock',
    zh: '流 画面 声音 缺口 缺失 首帧 末帧 时钟',
  }).split(' ')
  const row = (s: StreamReport) => [
    s.name,
    String(s.pictures),
    String(s.audioFrames),
    String(s.gaps.length),
    `${(s.gapMs / 1000).toFixed(3)} s`,
    s.first === undefined ? '' : timeText(s.first),
    s.last === undefined ? '' : timeText(s.last),
    s.clock === undefined ? '' : `±${Math.ceil(s.clock.boundMs)} ms`,
  ]
  print(output, answer, () => `${answer.id} ${answer.state}\n${table(head, answer.streams.map(row))}`)
}

export async function phonesStart(server: Server, output: Output, words: string[]) {
  const { bitrateMb, fps, aspectRatio } = parseStartArguments(words.join(' '))
  const answer = await server.call<PhonesAnswer>('POST', '/agent/v1/phones/start', {
    bitrateMb,
    fps,
    ...aspectRatio,
  })
  const { sent, started } = answer
  const head = inLanguage({
    en: `${started.length} of ${sent.length} started`,
    zh: `${sent.length} 台中 ${started.length} 台已开始`,
  })
  print(output, answer, () => phonesSentence(head, answer.failed))
}

export async function phonesStop(server: Server, output: Output) {
  const answer = await server.call<PhonesStopped>('POST', '/agent/v1/phones/stop')
  const { sent, stopped } = answer
  const head = inLanguage({
    en: `${stopped.length} of ${sent.length} stopped`,
    zh: `${sent.length} 台中 ${stopped.length} 台已停止`,
  })
  print(output, answer, () => phonesSentence(head, answer.failed))
}

/** `3 of 4 started, Pixel-6a: no answer`. */
function phonesSentence(head: string, failed: PhonesAnswer['failed']): string {
  const failures = failed.map((f) => `${f.name}: ${inLanguage({ en: f.reason, zh: f.reasonZh ?? f.reason })}`)
  return [head, ...failures].map(printable).join(', ')
}

export async function streams(server: Server, output: Output) {
  const answer = await server.call<{ streams: StreamInfo[] }>('GET', '/agent/v1/streams')
  const head = inLanguage({
    en: 'name state picture fps kb/s viewers',
    zh: '名称 状态 画面 帧率 kb/s 观看',
  }).split(' ')
  const row = (s: StreamInfo) => [
    s.name,
    s.state,
    s.video ? `${s.video.width}x${s.video.height}` : '',
    s.fps.toFixed(1),
    String(Math.round(s.bitsPerSecond / 1000)),
    String(s.viewers),
  ]
  print(output, answer, () => table(head, answer.streams.map(row)))
}

type Figures = { [key: string]: unknown }

/** What an operator wants to know at a glance; `--json` has everything. */
export async function status(server: Server, output: Output) {
  const [stats, health] = await Promise.all([
    server.call<AgentStats>('GET', '/agent/v1/stats'),
    server
      .call<Figures>('GET', '/v1/health')
      .catch((error: Error) => ({ status: 'away', error: error.message })),
  ])
  print(output, { agent: stats, cloud: health }, () =>
    table(['', ''], [...rowsOf(stats), ...rowsOf({ cloud: health })]).trim(),
  )
}

function rowsOf(value: Figures, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, item]): [string, string][] => {
    const path = prefix ? `${prefix}.${key}` : key
    if (Array.isArray(item))
      return [[path, item.map((x) => (typeof x === 'object' ? JSON.stringify(x) : String(x))).join(', ')]]
    if (typeof item === 'object' && item !== null) return rowsOf(item as Figures, path)
    if (typeof item === 'number' && /bytes$/i.test(key)) return [[path, sizeText(item)]]
    if (typeof item === 'number' && /^now$|At$/.test(key)) return [[path, timeText(item)]]
    return [[path, String(item)]]
  })
}
