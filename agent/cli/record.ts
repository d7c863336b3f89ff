import type {
  PhonesAnswer,
  PhonesStopped,
  RecordingReport,
  RecordingStarted,
  StreamReport,
} from '../../shared/contract/agent-api.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { parseStartArguments } from '../protocol/phone-start.ts'
import { secondsOption, timeOption } from './option.ts'
import { type Output, print, printable, table, timeText } from './output.ts'
import type { Server } from './server.ts'
import { inLanguage } from './words.ts'

/** `edgereel record start NAME… --from T --for S` and `record stop ID`. */
export async function recordStart(
  server: Server,
  output: Output,
  streams: string[],
  options: { from?: string; for?: string; title?: string; require?: string },
) {
  const durationSeconds = options.for === undefined ? undefined : secondsOption('--for', options.for)
  const answer = await server.call<RecordingStarted>('POST', '/agent/v1/recordings', {
    streams,
    ...(options.from === undefined ? {} : { from: timeOption('--from', options.from) }),
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
