import type { ComponentChildren, JSX } from 'preact'
import type { AgentStats } from '../../shared/contract/agent-api.ts'
import type { Health } from '../../shared/contract/api.ts'
import { formatBytes, formatDateTime, formatSpan } from '../format.ts'
import { language, text } from '../text/text.ts'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Bar, Facts, Pill } from '../ui/parts.tsx'
import { uploadReason, usedPercent } from './alarms.ts'

type CardProps = { icon: IconName; title: string; side?: ComponentChildren; children: ComponentChildren }

export function Card({ icon, title, side, children }: CardProps): JSX.Element {
  return (
    <section class="card">
      <h2 class="card-title">
        <Icon name={icon} />
        <span>{title}</span>
        {side}
      </h2>
      {children}
    </section>
  )
}

export function DiskCard({ ring }: { ring: NonNullable<AgentStats['ring']> }): JSX.Element {
  const words = text.value.status
  const percent = usedPercent(ring)
  return (
    <Card icon="disk" title={words.disk}>
      <p class="figure">{words.used(formatBytes(ring.usedBytes), formatBytes(ring.quotaBytes))}</p>
      <Bar percent={percent} label={words.usedNote(percent)} tone={percent > 90 ? 'warn' : 'busy'} />
      <p class="muted small">
        {words.free(formatBytes(ring.freeBytes))} · {words.segments(ring.segments)}
        {ring.queueBytes > 0 && ` · ${words.queue(formatBytes(ring.queueBytes))}`}
      </p>
      {ring.reach && ring.reach.length > 0 && (
        <>
          <h3>{words.reach}</h3>
          <Facts
            rows={ring.reach.map(({ stream, from, to, bytes }) => [
              stream,
              `${formatSpan(to - from)} · ${formatBytes(bytes)}`,
            ])}
          />
        </>
      )}
    </Card>
  )
}

export function UploadCard({ upload }: { upload: NonNullable<AgentStats['upload']> }): JSX.Element {
  const words = text.value.status
  const tone = upload.state === 'waiting' ? 'warn' : upload.state === 'idle' ? 'ok' : 'busy'
  return (
    <Card
      icon="upload"
      title={words.upload}
      side={<Pill tone={upload.state === 'off' ? 'plain' : tone}>{words.uploadState[upload.state]}</Pill>}
    >
      <p class="figure">
        {upload.pendingSegments === 0
          ? words.pendingNone
          : words.pending(upload.pendingSegments, formatBytes(upload.pendingBytes))}
      </p>
      {upload.message && <p class="muted">{uploadReason(upload, text.value)}</p>}
      {upload.lastSuccessAt !== undefined && (
        <Facts rows={[[words.lastSuccess, formatDateTime(upload.lastSuccessAt, language.value)]]} />
      )}
    </Card>
  )
}

type CloudCardProps = { health: Health | undefined; silent: boolean }

export function CloudCard({ health, silent }: CloudCardProps): JSX.Element {
  const words = text.value.status
  const known = silent ? 'unreachable' : health?.status === 'degraded' ? 'degraded' : 'reachable'
  const tone = { unreachable: 'bad', degraded: 'warn', reachable: 'ok' } as const
  const queues = Object.entries(health?.queues ?? {})
  return (
    <Card
      icon="cloud"
      title={words.cloud}
      side={health || silent ? <Pill tone={tone[known]}>{words[known]}</Pill> : null}
    >
      {queues.length > 0 && (
        <table class="table queue-table">
          <thead>
            <tr>
              <th />
              <th class="number">{words.queueWaiting}</th>
              <th class="number">{words.queueRunning}</th>
              <th class="number">{words.queueDead}</th>
            </tr>
          </thead>
          <tbody>
            {queues.map(([name, queue]) => (
              <tr key={name}>
                <td>{words.queueNames[name as keyof typeof words.queueNames] ?? name}</td>
                <td class="number">{queue.waiting}</td>
                <td class="number">{queue.inFlight}</td>
                <td class={queue.dead > 0 ? 'number bad-text' : 'number'}>{queue.dead}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  )
}

export function AgentCard({ stats }: { stats: AgentStats }): JSX.Element {
  const words = text.value.status
  const { process: own, streams } = stats
  return (
    <Card icon="status" title={words.agent}>
      <Facts
        rows={[
          [words.name, stats.agent],
          [words.version, stats.version],
          [words.uptime, formatSpan(stats.uptimeMs)],
          [words.streams, text.value.live.summary(streams.live, streams.live + streams.waiting)],
          [words.viewers, stats.viewers],
          [words.memory, formatBytes(own.rssBytes)],
          [words.delay, `${own.eventLoopDelayP99Ms.toFixed(1)} ms`],
        ]}
      />
    </Card>
  )
}
