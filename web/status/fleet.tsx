import type { JSX } from 'preact'
import type { AgentItem } from '../../shared/contract/agents-api.ts'
import { cloud } from '../api.ts'
import { nowMs } from '../clock.ts'
import { formatSpan } from '../format.ts'
import { agentHere } from '../model.ts'
import { createResource, useResources } from '../poll.ts'
import { text } from '../text/text.ts'
import { Pill, type Tone } from '../ui/parts.tsx'
import { Card } from './cards.tsx'

const agents = createResource(cloud.agents)
const clockOffMs = 60_000 // More than what a person calls right: recordings bear this clock's time.

/** Everything that uploads to this archive: shown where there is more than the recorder of this page. */
export function Fleet(): JSX.Element | null {
  useResources(agents)
  const list = agents.value.value ?? []
  if (list.length < (agentHere.value ? 2 : 1)) return null
  return (
    <Card icon="upload" title={text.value.status.fleet}>
      <ul class="fleet">
        {list.map((agent) => (
          <Agent key={agent.name} agent={agent} />
        ))}
      </ul>
    </Card>
  )
}

function Agent({ agent }: { agent: AgentItem }): JSX.Element {
  const words = text.value.status
  const [tone, state] = stateOf(agent)
  const about = [words.heard(formatSpan(Math.max(0, nowMs() - agent.lastSeen))), agent.version].filter(
    Boolean,
  )
  return (
    <li>
      <div>
        <b>{agent.name}</b> <Pill tone={tone}>{words.fleetState[state]}</Pill>
      </div>
      <div class="muted small">{about.join(' · ')}</div>
      {troublesOf(agent).map((trouble) => (
        <div key={trouble} class="small">
          {trouble}
        </div>
      ))}
    </li>
  )
}

function stateOf({ revoked, online }: AgentItem): [Tone, 'revoked' | 'online' | 'offline'] {
  if (revoked) return ['plain', 'revoked']
  return online ? ['ok', 'online'] : ['warn', 'offline']
}

function troublesOf({ twin, config, clock }: AgentItem): string[] {
  const words = text.value.status
  const isOff = clock !== undefined && Math.abs(clock.offsetMs) > clockOffMs + clock.boundMs
  return [
    ...(twin ? [words.fleetTwin] : []),
    ...(config?.reported?.state === 'refused' ? [words.fleetRefused(config.reported.message ?? '')] : []),
    ...(isOff ? [words.fleetClock(formatSpan(Math.abs(clock.offsetMs)))] : []),
  ]
}
