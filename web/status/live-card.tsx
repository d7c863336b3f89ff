import type { JSX } from 'preact'
import type { AgentStats } from '../../shared/contract/agent-api.ts'
import { formatBytes } from '../format.ts'
import { text } from '../text/text.ts'
import { Facts, Pill } from '../ui/parts.tsx'
import { Card } from './cards.tsx'

type Live = NonNullable<AgentStats['live']>

/** Who sends, who watches, and how live it is. */
export function LiveCard({ live }: { live: Live }): JSX.Element {
  const words = text.value.status
  const { publishers, viewers, latencyMs, joinMs } = live
  const sources = Object.entries(publishers).map(([kind, count]) => `${kind} ${count}`)
  return (
    <Card icon="live" title={words.live}>
      <Facts
        rows={[
          [words.sources, sources.join(' · ') || '0'],
          [words.viewersBy, `${viewers.http} · ${viewers.ws} · ${viewers.rtmp} · ${viewers.grpc}`],
          [words.sent, formatBytes(live.bytes)],
          [words.skips, live.skips],
          [words.latency, words.atMost(latencyMs.p50, latencyMs.p99)],
          [words.join, words.atMost(joinMs.p50, joinMs.p99)],
        ]}
      />
      {live.forwards.length > 0 && <ForwardList forwards={live.forwards} />}
    </Card>
  )
}

const tones = { live: 'ok', connecting: 'busy', waiting: 'warn' } as const

function ForwardList({ forwards }: { forwards: Live['forwards'] }): JSX.Element {
  const words = text.value.status
  return (
    <>
      <h3>{words.forwards}</h3>
      <Facts
        rows={forwards.map(({ stream, target, state, bytes, error }) => [
          stream,
          <>
            {target} <Pill tone={tones[state]}>{words.forwardState[state]}</Pill> {formatBytes(bytes)}
            {error !== undefined && <p class="muted small">{error}</p>}
          </>,
        ])}
      />
    </>
  )
}
