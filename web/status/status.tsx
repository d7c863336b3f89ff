import type { JSX } from 'preact'
import { agentHere, health, mayAdminister, stats } from '../model.ts'
import { useResources } from '../poll.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { alarmsOf } from './alarms.ts'
import { AgentCard, CloudCard, DiskCard, UploadCard } from './cards.tsx'
import { Tokens } from './tokens.tsx'

export function Status(): JSX.Element {
  useResources(stats, health)
  const now = stats.value.value
  return (
    <div class="view">
      <header class="view-head">
        <h1>{text.value.sections.status}</h1>
      </header>
      <Alarms />
      <div class="status-grid">
        {now?.ring && <DiskCard ring={now.ring} />}
        {now?.upload && <UploadCard upload={now.upload} />}
        <CloudCard health={health.value.value} silent={health.error.value !== undefined} />
        {now && <AgentCard stats={now} />}
      </div>
      {agentHere.value && mayAdminister.value && <Tokens />}
    </div>
  )
}

function Alarms(): JSX.Element | null {
  const known = stats.value.value ?? health.value.value ?? stats.error.value ?? health.error.value
  if (!known) return null
  const alarms = alarmsOf(
    {
      stats: stats.value.value,
      agentSilent: stats.error.value !== undefined && agentHere.value,
      health: health.value.value,
      cloudSilent: health.error.value !== undefined,
    },
    text.value,
  )
  if (alarms.length === 0) {
    return (
      <p class="verdict verdict-ok">
        <Icon name="check" /> {text.value.status.allWell}
      </p>
    )
  }
  return (
    <div class="verdict verdict-warn" role="alert">
      <Icon name="warning" />
      <div>
        <b>{text.value.status.alarms(alarms.length)}</b>
        <ul>
          {alarms.map((alarm) => (
            <li key={alarm}>{alarm}</li>
          ))}
        </ul>
      </div>
    </div>
  )
}
