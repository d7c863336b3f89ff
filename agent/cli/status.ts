import type { AgentStats, StreamInfo } from '../../shared/contract/agent-api.ts'
import type { Health } from '../../shared/contract/api.ts'
import { durationText, type Output, print, sizeText, table, timeText } from './output.ts'
import type { Server } from './server.ts'
import { inLanguage } from './words.ts'

/** `edgereel streams`: what there is now, what records it, and why a camera is not there. */
export async function streams(server: Server, output: Output) {
  const answer = await server.call<{ streams: StreamInfo[] }>('GET', '/agent/v1/streams')
  const head = inLanguage({
    en: 'name state picture fps kb/s viewers recording note',
    zh: '名称 状态 画面 帧率 kb/s 观看 录制中 备注',
  }).split(' ')
  print(output, answer, () => table(head, answer.streams.map(streamRow)))
}

function streamRow({ name, state, video, fps, bitsPerSecond, viewers, recordings, camera }: StreamInfo) {
  const { reason = '', reasonZh = reason } = camera?.state === 'offline' ? camera : {}
  return [
    name,
    state,
    video ? `${video.width}x${video.height}` : '',
    fps.toFixed(1),
    String(Math.round(bitsPerSecond / 1000)),
    String(viewers),
    recordings.join(' '),
    inLanguage({ en: reason, zh: reasonZh }),
  ]
}

type Silent = { status: 'away'; error: string }

/** `edgereel status`: what an operator wants to know at a glance; `--json` has everything. */
export async function status(server: Server, output: Output) {
  const [agent, cloud] = await Promise.all([
    server.call<AgentStats>('GET', '/agent/v1/stats'),
    server
      .call<Health>('GET', '/v1/health')
      .catch((error: Error): Silent => ({ status: 'away', error: error.message })),
  ])
  print(output, { agent, cloud }, () => statusText(agent, cloud))
}

export function statusText(agent: AgentStats, cloud: Health | Silent): string {
  const { streams: of, phones, viewers, ring, upload } = agent
  const words = (en: string, zh: string) => inLanguage({ en, zh })
  const rows: [string, string][] = [
    [words('agent', '采集端'), `${agent.agent}, ${agent.version}, ${durationText(agent.uptimeMs)}`],
    [
      words('streams', '流'),
      words(`${of.live} live, ${of.waiting} waiting`, `${of.live} 在线，${of.waiting} 等待`),
    ],
    [words('phones', '手机'), words(`${phones.connected} connected`, `已连接 ${phones.connected}`)],
    [words('viewers', '观看'), String(viewers)],
  ]
  if (ring) {
    const { usedBytes, quotaBytes, freeBytes, alarm } = ring
    const size = [usedBytes, quotaBytes].map(sizeText).join(' / ')
    const free = sizeText(freeBytes)
    rows.push([
      words('ring', '循环缓存'),
      words(`${size}, ${free} free on the disk`, `${size}，磁盘剩余 ${free}`),
    ])
    if (alarm) rows.push([words('ALARM', '告警'), alarm])
  }
  if (upload) rows.push([words('upload', '上传'), uploadText(upload)])
  return table(['', ''], [...rows, [words('archive', '存档'), archiveText(cloud)]]).trim()
}

function uploadText({
  state,
  pendingSegments,
  pendingBytes,
  message,
  messageZh,
  lastSuccessAt,
}: NonNullable<AgentStats['upload']>) {
  const left = `${pendingSegments} (${sizeText(pendingBytes)})`
  const words = [
    state,
    ...(pendingSegments > 0 ? [inLanguage({ en: `${left} to go`, zh: `待上传 ${left}` })] : []),
    ...(message ? [inLanguage({ en: message, zh: messageZh ?? message })] : []),
    ...(lastSuccessAt
      ? [`${inLanguage({ en: 'last success', zh: '最近成功' })} ${timeText(lastSuccessAt)}`]
      : []),
  ]
  return words.join(', ')
}

function archiveText(cloud: Health | Silent): string {
  if (cloud.status === 'away') return `${cloud.status}: ${cloud.error}`
  const sum = (of: 'waiting' | 'inFlight' | 'dead') =>
    Object.values(cloud.queues).reduce((all, queue) => all + queue[of], 0)
  const silent = Object.entries(cloud.answers).flatMap(([part, answers]) => (answers ? [] : [part]))
  const dead = sum('dead')
  return [
    cloud.status,
    inLanguage({
      en: `${sum('waiting')} waiting, ${sum('inFlight')} running`,
      zh: `${sum('waiting')} 等待，${sum('inFlight')} 进行中`,
    }),
    ...(dead > 0
      ? [inLanguage({ en: `${dead} given up (edgereel dlq ls)`, zh: `${dead} 已放弃（edgereel dlq ls）` })]
      : []),
    ...(silent.length > 0
      ? [`${inLanguage({ en: 'no answer from', zh: '无应答' })} ${silent.join(' ')}`]
      : []),
    ...(cloud.disk?.low ? [inLanguage({ en: 'its disk is nearly full', zh: '磁盘即将用满' })] : []),
    ...(cloud.ffmpeg === false
      ? [inLanguage({ en: 'no FFmpeg (edgereel doctor)', zh: '缺少 FFmpeg（edgereel doctor）' })]
      : []),
  ].join(', ')
}
